// Finds the texts in a chunk of a source file: one in the named member of each line's JSON object, or the whole chunk. Every reader of text goes through here.
using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using LlmShearing.Json;

namespace LlmShearing.Data.Corpus;

/// <summary>Takes one text; the characters are gone afterwards.</summary>
internal delegate void TextRecordAction(ReadOnlySpan<char> text, bool repaired);

/// <param name="field">Member that holds the text.</param>
/// <param name="invalidText">What happens to text that is not valid.</param>
internal sealed class TextRecordReader(string field, InvalidTextPolicy invalidText)
{
    // Deeper than any record that Python's reader takes.
    private const int MaxDepth = 1024;
    private const int LargestKeptBuffer = 16 << 20;
    private const int MostNames = 20;

    private static readonly JsonReaderOptions Reading = new() { MaxDepth = MaxDepth };

    private readonly byte[] _field = Encoding.UTF8.GetBytes(field);
    private char[] _chars = new char[1 << 16];

    /// <param name="chunk">The bytes.</param>
    /// <param name="path">The source file, for messages.</param>
    /// <param name="record">Called with each text in order; may be an empty one.</param>
    /// <param name="cancellationToken">Checked before each line.</param>
    /// <exception cref="TokenDataException">A record cannot be read; the message names file and line.</exception>
    public void Read(TextChunk chunk, string path, TextRecordAction record, CancellationToken cancellationToken)
    {
        if (chunk.FirstLine == 0)
            ReadPlain(chunk.Text, path, record);
        else
            ReadLines(chunk, path, record, cancellationToken);
        if (_chars.Length > LargestKeptBuffer)
            _chars = new char[1 << 16];
    }

    /// <summary>Whether a line is a whole JSON object.</summary>
    public static bool IsObject(ReadOnlySpan<byte> line)
    {
        byte[]? repaired = NonFiniteJson.WithNull(line);
        var reader = new Utf8JsonReader(repaired ?? line, Reading);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void ReadPlain(ReadOnlySpan<byte> text, string path, TextRecordAction record)
    {
        bool valid = Utf8.IsValid(text);
        if (!valid && invalidText == InvalidTextPolicy.Refuse)
            throw Invalid($"{path}, line {text[..FirstInvalidByte(text)].Count((byte)'\n') + 1}");
        Reserve(text.Length);
        record(_chars.AsSpan(0, Encoding.UTF8.GetChars(text, _chars)), !valid);
    }

    private void ReadLines(TextChunk chunk, string path, TextRecordAction record, CancellationToken cancellationToken)
    {
        // Lines end at \n only: JSON text may contain the other characters that end a line elsewhere.
        ReadOnlySpan<byte> rest = chunk.Text;
        for (long number = chunk.FirstLine; !rest.IsEmpty; number++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int end = rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? [] : rest[(end + 1)..];
            if (line.IndexOfAnyExcept(" \t\r"u8) < 0)
                continue;
            bool repaired = false;
            if (!Utf8.IsValid(line))
            {
                if (invalidText == InvalidTextPolicy.Refuse)
                    throw Invalid($"{path}, line {number}");
                line = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(line));
                repaired = true;
            }

            ReadOnlySpan<char> text = ReadLine(line, path, number, ref repaired);
            record(text, repaired);
        }
    }

    private ReadOnlySpan<char> ReadLine(ReadOnlySpan<byte> line, string path, long number, ref bool repaired)
    {
        try
        {
            return ReadField(line, path, number, ref repaired);
        }
        catch (TokenDataException e) when (e.InnerException is JsonException && NonFiniteJson.WithNull(line) is not null)
        {
            // A number that JSON does not have, in a member that nobody asked for, is no reason to lose the text.
            return ReadField(NonFiniteJson.WithNull(line), path, number, ref repaired);
        }
    }

    private ReadOnlySpan<char> ReadField(ReadOnlySpan<byte> line, string path, long number, ref bool repaired)
    {
        // The reader may hold what it gave, so the text is copied out at once; of two members with the name the last counts, as in Python.
        var reader = new Utf8JsonReader(line, Reading);
        int length = -1;
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new TokenDataException($"{path}, line {number}: expected a JSON object with a member \"{field}\"{(reader.TokenType == JsonTokenType.StartArray ? ", found an array. Write one object a line (JSON Lines), without brackets and commas around them" : "")}.");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool wanted = SafeJson.Is(ref reader, _field);
                reader.Read();
                if (!wanted)
                {
                    reader.Skip();
                    continue;
                }

                if (reader.TokenType != JsonTokenType.String)
                    throw new TokenDataException($"{path}, line {number}: \"{field}\" is not text.");
                Reserve(reader.ValueSpan.Length);
                length = CopyText(ref reader, path, number, ref repaired);
            }

            reader.Read();   // finds anything behind the object
        }
        catch (JsonException e)
        {
            throw new TokenDataException($"{path}, line {number}, byte {e.BytePositionInLine}: {(reader.CurrentDepth >= MaxDepth - 1 ? $"nested deeper than {MaxDepth} levels." : "not valid JSON. A JSON Lines file has one JSON object a line.")}", e);
        }

        return length >= 0
            ? _chars.AsSpan(0, length)
            : throw new TokenDataException($"{path}, line {number}: no member \"{field}\"; there are: {string.Join(", ", Members(line))}. Name the right one (TextField, --field).");
    }

    private int CopyText(ref Utf8JsonReader reader, string path, long number, ref bool repaired)
    {
        if (SafeJson.TryCopy(ref reader, _chars, out int length))
            return length;
        // The bytes are valid UTF-8, so an escape names half a surrogate pair.
        if (invalidText == InvalidTextPolicy.Refuse)
            throw Invalid($"{path}, line {number}");
        repaired = true;
        return LooseJsonText.Unescape(reader.ValueSpan, _chars);
    }

    /// <summary>The first names of an object that was read without an error; broken names as they are written.</summary>
    private static List<string> Members(ReadOnlySpan<byte> line)
    {
        var names = new List<string>();
        var reader = new Utf8JsonReader(line, Reading);
        reader.Read();
        while (names.Count < MostNames && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            names.Add(Encoding.UTF8.GetString(reader.ValueSpan));
            reader.Skip();
        }

        return names;
    }

    private static TokenDataException Invalid(string place) =>
        new($"{place}: the text is not valid UTF-8 or has half a surrogate pair. Convert the file, or have 'shear tokenize' replace invalid text (--replace-invalid).");

    private static int FirstInvalidByte(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(text[at..], out _, out int used) == OperationStatus.Done)
            at += used;
        return at;
    }

    private void Reserve(int length)
    {
        if (_chars.Length < length)
            _chars = new char[length];
    }
}
