// Text records: a JSON Lines file has one a line, in a field; any other file is one record.
using System.Text;
using System.Text.Json;
using LlmShearing.Data;

namespace LlmShearing.Cli;

/// <param name="Path">The file.</param>
/// <param name="Records">Texts in file order; may be empty strings.</param>
/// <param name="IsPlain">One plain text, as against separate records.</param>
internal sealed record TextFile(string Path, IReadOnlyList<string> Records, bool IsPlain)
{
    public const string DefaultField = "text";

    /// <summary>Reads JSON Lines when the name ends in .jsonl, .ndjson or .json (also with .gz or .zst behind it) or when a field is named; else plain text.</summary>
    public static TextFile Read(string path, string? field)
    {
        string text = InputFile.Text(path);
        bool lines = field is not null || CorpusFile.IsJsonLines(path);
        return lines ? new TextFile(path, ReadLines(path, text, field ?? DefaultField), false) : new TextFile(path, [text], true);
    }

    private static List<string> ReadLines(string path, string text, string field)
    {
        var records = new List<string>();
        int number = 0;
        // Lines end at \n only: JSON text may contain the other characters that end a line elsewhere.
        foreach (Range range in text.AsSpan().Split('\n'))
        {
            ReadOnlyMemory<char> line = text.AsMemory()[range];
            number++;
            if (!line.Span.IsWhiteSpace())
                records.Add(Field(path, number, line, field));
        }

        return records;
    }

    private static JsonDocument Parse(ReadOnlySpan<char> line)
    {
        try
        {
            return SafeJson.Document(line);
        }
        catch (JsonException) when (NonFiniteJson.WithNull(Encoding.UTF8.GetBytes(line.ToArray())) is { } repaired)
        {
            // A number that JSON does not have, in a member that nobody asked for, is no reason to lose the text.
            return SafeJson.Document(repaired);
        }
    }

    private static string Field(string path, int number, ReadOnlyMemory<char> line, string field)
    {
        try
        {
            using JsonDocument document = Parse(line.Span);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new UsageException($"{path}, line {number}: expected a JSON object with a member \"{field}\".");
            if (!document.RootElement.TryGetProperty(field, out JsonElement value))
                throw new UsageException($"{path}, line {number}: no member \"{field}\"; there are: {string.Join(", ", document.RootElement.EnumerateObject().Select(m => m.Name))}. Name the right one with --field.");
            return value.ValueKind == JsonValueKind.String
                ? value.Text()
                : throw new UsageException($"{path}, line {number}: \"{field}\" is not text.");
        }
        catch (JsonException e)
        {
            throw new UsageException($"{path}, line {number}: not valid JSON ({e.Message}) A .jsonl file has one JSON object a line.", e);
        }
    }
}
