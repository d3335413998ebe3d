// What a worker does with a chunk: finds the text of each record, encodes it, puts BOS and EOS around it.
using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data;

/// <summary>Encodes chunks; one instance a worker.</summary>
internal sealed class TextChunkEncoder(ITokenizer tokenizer, CorpusTokenizerOptions options)
{
    private const int LargestKeptBuffer = 16 << 20;
    private const int ShownMembers = 20;

    private readonly byte[] _field = Encoding.UTF8.GetBytes(options.TextField);
    private char[] _chars = new char[1 << 16];

    /// <param name="chunk">Receives the ids and the counts.</param>
    /// <param name="path">The source file, for messages.</param>
    /// <param name="ids">Where to put the ids.</param>
    /// <param name="cancellationToken">Checked after each document.</param>
    public void Encode(TextChunk chunk, string path, ArrayBufferWriter<int> ids, CancellationToken cancellationToken)
    {
        chunk.Ids = ids;
        if (chunk.FirstLine == 0)
            EncodePlain(chunk, path, ids);
        else
            EncodeLines(chunk, path, ids, cancellationToken);
        if (_chars.Length > LargestKeptBuffer)
            _chars = new char[1 << 16];
    }

    private void EncodePlain(TextChunk chunk, string path, ArrayBufferWriter<int> ids)
    {
        ReadOnlySpan<byte> text = chunk.Text;
        if (!Utf8.IsValid(text))
        {
            if (options.InvalidText == InvalidTextPolicy.Refuse)
                throw Invalid($"{path}, line {text[..FirstInvalidByte(text)].Count((byte)'\n') + 1}");
            chunk.RepairedDocuments++;
        }

        Reserve(text.Length);
        EncodeDocument(_chars.AsSpan(0, Encoding.UTF8.GetChars(text, _chars)), chunk, ids);
    }

    private void EncodeLines(TextChunk chunk, string path, ArrayBufferWriter<int> ids, CancellationToken cancellationToken)
    {
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
                if (options.InvalidText == InvalidTextPolicy.Refuse)
                    throw Invalid($"{path}, line {number}");
                line = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(line));
                repaired = true;
            }

            ReadOnlySpan<char> text = ReadLine(line, path, number, ref repaired);
            chunk.RepairedDocuments += repaired ? 1 : 0;
            EncodeDocument(text, chunk, ids);
        }
    }

    private void EncodeDocument(ReadOnlySpan<char> text, TextChunk chunk, ArrayBufferWriter<int> ids)
    {
        if (text.IsEmpty && !options.KeepEmptyDocuments)
        {
            chunk.EmptyDocuments++;
            return;
        }

        int before = ids.WrittenCount;
        if (options.AddBos)
            Put(ids, tokenizer.BosTokenId!.Value);
        int begin = ids.WrittenCount;
        if (!text.IsEmpty)
            tokenizer.EncodeTo(text, ids, addSpecialTokens: false);
        bool empty = ids.WrittenCount == begin;
        if (options.AddEos)
            Put(ids, tokenizer.EosTokenId!.Value);
        if (!empty)
        {
            chunk.Documents++;
            return;
        }

        chunk.EmptyDocuments++;
        if (!options.KeepEmptyDocuments)
            TakeBack(ids, before);   // text that the tokenizer's normalizer leaves nothing of
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
        var reader = new Utf8JsonReader(line);
        int length = -1;
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new TokenDataException($"{path}, line {number}: expected a JSON object with a member \"{options.TextField}\".");
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
                    throw new TokenDataException($"{path}, line {number}: \"{options.TextField}\" is not text.");
                Reserve(reader.ValueSpan.Length);
                length = CopyText(ref reader, path, number, ref repaired);
            }

            reader.Read();   // finds anything behind the object
        }
        catch (JsonException e)
        {
            throw new TokenDataException($"{path}, line {number}, byte {e.BytePositionInLine}: not valid JSON. A JSON Lines file has one JSON object a line.", e);
        }

        return length >= 0
            ? _chars.AsSpan(0, length)
            : throw new TokenDataException($"{path}, line {number}: no member \"{options.TextField}\"; there are: {Members(line)}. Name the right one.");
    }

    private int CopyText(ref Utf8JsonReader reader, string path, long number, ref bool repaired)
    {
        if (SafeJson.TryCopy(ref reader, _chars, out int length))
            return length;
        // The bytes are valid UTF-8, so an escape names half a surrogate pair.
        if (options.InvalidText == InvalidTextPolicy.Refuse)
            throw Invalid($"{path}, line {number}");
        repaired = true;
        return LooseJsonText.Unescape(reader.ValueSpan, _chars);
    }

    // As loosely as the line itself was read: a name with half a surrogate pair is shown with U+FFFD in its place.
    private static string Members(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        reader.Read();
        var names = new List<string>();
        while (names.Count < ShownMembers && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            char[] name = new char[reader.ValueSpan.Length];
            names.Add(new string(name, 0, LooseJsonText.Unescape(reader.ValueSpan, name)));
            reader.Read();
            reader.Skip();
        }

        return string.Join(", ", names);
    }

    private static TokenDataException Invalid(string place) =>
        new($"{place}: the text is not valid UTF-8. Convert the file, or have invalid text replaced.");

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

    private static void Put(ArrayBufferWriter<int> ids, int id)
    {
        ids.GetSpan(1)[0] = id;
        ids.Advance(1);
    }

    private static void TakeBack(ArrayBufferWriter<int> ids, int count)
    {
        int[] kept = ids.WrittenSpan[..count].ToArray();
        ids.ResetWrittenCount();
        ids.Write(kept);
    }
}
