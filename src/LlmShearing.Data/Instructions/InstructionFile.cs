// Instruction data as people publish them: one JSON array, or one JSON object a line. What a record is shows in its keys.
using System.Text;
using System.Text.Json;
using LlmShearing.Data.Corpus;
using LlmShearing.Json;

namespace LlmShearing.Data.Instructions;

/// <summary>
/// Reads instruction data: Alpaca ({instruction, input, output}; LaMini's {instruction, response}), LLM-Shearing ({input, output}), ShareGPT ({conversations: [{from, value}]}) and
/// messages ({messages: [{role, content}]}).
/// </summary>
public static class InstructionFile
{
    private const int StartBytes = 4096;

    private static ReadOnlySpan<byte> ByteOrderMark => "\uFEFF"u8;

    /// <summary>Reads a file record by record.</summary>
    /// <param name="path">A JSON array or JSON lines, UTF-8, also with .gz or .zst behind its name; which of the two shows in the first character.</param>
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
        bool array = Guard(() => IsArray(path), path);
        using Stream stream = Guard(() => CorpusFile.OpenRead(path), path);
        using IEnumerator<(JsonElement Record, string Source)> records = (array ? Array(stream, file) : Lines(stream, file)).GetEnumerator();
        long count = 0;
        for (; Guard(records.MoveNext, file); count++)
            yield return InstructionJson.Read(records.Current.Record, records.Current.Source);
        if (count == 0)
            throw new TokenDataException($"{file} has no record. Give instruction data as a JSON array or JSON lines.");
    }

    // Which of the two forms it is shows in the first character behind white space and a byte order mark.
    private static bool IsArray(string path)
    {
        using Stream stream = CorpusFile.OpenRead(path);
        byte[] start = new byte[StartBytes];
        ReadOnlySpan<byte> text = start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false));
        TextEncodings.RefuseUtf16(text, path);
        int first = text.IndexOfAnyExcept([.. " \t\r\n"u8, .. ByteOrderMark]);
        return first >= 0 && text[first] == (byte)'[';
    }

    private static IEnumerable<(JsonElement, string)> Array(Stream stream, string file)
    {
        long index = 0;
        foreach (JsonElement element in SafeJson.Elements(stream))
            yield return (element, $"{file} record {index++}");
    }

    private static IEnumerable<(JsonElement, string)> Lines(Stream stream, string file)
    {
        using var reader = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true));
        for (long line = 1; reader.ReadLine() is string text; line++)
        {
            if (text.AsSpan().IsWhiteSpace())
                continue;
            JsonElement element;
            try
            {
                element = Element(text);
            }
            catch (JsonException e)
            {
                throw new TokenDataException($"{file} line {line} is not JSON: {e.Message}", e);
            }

            yield return (element, $"{file} line {line}");
        }
    }

    private static JsonElement Element(string line)
    {
        try
        {
            return SafeJson.Element(line);
        }
        catch (JsonException) when (NonFiniteJson.WithNull(Encoding.UTF8.GetBytes(line)) is { } repaired)
        {
            // A number that JSON does not have, in a member that nobody asked for, is no reason to lose the record.
            return SafeJson.Element(Encoding.UTF8.GetString(repaired));
        }
    }

    private static T Guard<T>(Func<T> read, string where)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or JsonException or DecoderFallbackException)
        {
            throw new TokenDataException($"{where}: cannot be read as instruction data: {e.Message}", e);
        }
    }
}
