// Instruction data as people publish them: one JSON array, or one JSON object a line. What a record is shows in its keys.
using System.Text;
using System.Text.Json;

namespace LlmShearing.Data;

/// <summary>
/// Reads instruction data: Alpaca ({instruction, input, output}; LaMini's {instruction, response}), LLM-Shearing ({input, output}), ShareGPT ({conversations: [{from, value}]}) and
/// messages ({messages: [{role, content}]}).
/// </summary>
public static class InstructionFile
{
    /// <summary>Reads a file record by record.</summary>
    /// <param name="path">A JSON array or JSON lines, UTF-8; which of the two shows in the first character.</param>
    /// <returns>Records, read as they are asked for.</returns>
    /// <exception cref="TokenDataException">The file cannot be read, is not JSON, or a record has another form; the message names the file and the record or line. Thrown while reading.</exception>
    public static IEnumerable<InstructionRecord> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return ReadRecords(path);
    }

    private static IEnumerable<InstructionRecord> ReadRecords(string path)
    {
        string file = Path.GetFileName(path);
        using FileStream stream = Guard(() => Open(path), path);
        bool array = Guard(() => IsArray(stream), file);
        using IEnumerator<(JsonElement Record, string Source)> records = (array ? Array(stream, file) : Lines(stream, file)).GetEnumerator();
        long count = 0;
        for (; Guard(records.MoveNext, file); count++)
            yield return InstructionJson.Read(records.Current.Record, records.Current.Source);
        if (count == 0)
            throw new TokenDataException($"{file} has no record. Give instruction data as a JSON array or JSON lines.");
    }

    private static FileStream Open(string path)
    {
        LfsPointer.Refuse(path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
    }

    private static bool IsArray(FileStream stream)
    {
        int first;
        do
            first = stream.ReadByte();
        while (first is ' ' or '\t' or '\r' or '\n' or 0xEF or 0xBB or 0xBF);   // white space, or a byte order mark
        stream.Position = 0;
        return first == '[';
    }

    private static IEnumerable<(JsonElement, string)> Array(FileStream stream, string file)
    {
        stream.Position = stream.ReadByte() == 0xEF ? 3 : 0;   // past a byte order mark
        long index = 0;
        foreach (JsonElement element in SafeJson.Elements(stream))
            yield return (element, $"{file} record {index++}");
    }

    private static IEnumerable<(JsonElement, string)> Lines(FileStream stream, string file)
    {
        using var reader = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true));
        for (long line = 1; reader.ReadLine() is string text; line++)
        {
            if (text.AsSpan().IsWhiteSpace())
                continue;
            JsonElement element;
            try
            {
                element = SafeJson.Element(text);
            }
            catch (JsonException e)
            {
                throw new TokenDataException($"{file} line {line} is not JSON: {e.Message}", e);
            }

            yield return (element, $"{file} line {line}");
        }
    }

    private static T Guard<T>(Func<T> read, string where)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or DecoderFallbackException)
        {
            throw new TokenDataException($"{where}: cannot be read as instruction data: {e.Message}", e);
        }
    }
}
