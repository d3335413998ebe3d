// Token ids from a JSON file: [[1, 2, 3], [4, 5]], or an object with such a member "rows", as `shear tokens --json` prints it.
using System.Text.Json;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;

namespace LlmShearing.Cli.Input;

internal static class IdsFile
{
    public static List<int[]> Read(string path)
    {
        byte[] bytes = InputFile.Bytes(path);
        try
        {
            return Parse(bytes, path);
        }
        catch (JsonException e)
        {
            throw new UsageException($"{path}: not valid JSON at line {e.LineNumber + 1}: expected an array of arrays of token ids.", e);
        }
    }

    private static List<int[]> Parse(ReadOnlySpan<byte> utf8, string path)
    {
        var reader = new Utf8JsonReader(utf8);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
            SkipToRows(ref reader, path);
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new UsageException($"{path}: expected an array of arrays of token ids, found {Kind(reader.TokenType)}.");
        var rows = new List<int[]>();
        var row = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new UsageException($"{path}: row {rows.Count} is {Kind(reader.TokenType)}; expected an array of token ids.");
            row.Clear();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id) || id < 0)
                    throw new UsageException($"{path}: row {rows.Count}, token {row.Count} is {Value(ref reader)}; expected a token id, a whole number from 0.");
                row.Add(id);
            }

            rows.Add([.. row]);
        }

        return rows;
    }

    private static void SkipToRows(ref Utf8JsonReader reader, string path)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool rows = SafeJson.Is(ref reader, "rows"u8);
            reader.Read();
            if (rows)
                return;
            reader.Skip();
        }

        throw new UsageException($"{path}: the object has no member \"rows\". Give an array of arrays of token ids, or what 'shear tokens --json' prints.");
    }

    private static string Value(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number ? System.Text.Encoding.UTF8.GetString(reader.ValueSpan) : Kind(reader.TokenType);

    private static string Kind(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        JsonTokenType.Null => "null",
        _ => "true or false",
    };
}
