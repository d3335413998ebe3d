// Cuts a source file into chunks of whole lines, or takes a plain text as one. Only the ends of lines are looked for here; everything else is the workers'.
using System.Buffers;

namespace LlmShearing.Data.Corpus;

internal static class TextChunkReader
{
    public const int BlockBytes = 1 << 20;

    /// <summary>Longest document: what .NET arrays of characters and ids can surely hold.</summary>
    public const int MaxDocumentBytes = 1 << 30;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <param name="path">The source file.</param>
    /// <param name="source">Its index.</param>
    /// <param name="asLines">The file has one JSON object a line, whatever its name; false: its name says, or where that says nothing, its first line.</param>
    public static IEnumerable<TextChunk> Read(string path, int source, bool asLines = false)
    {
        using FileStream file = CorpusFile.Open(path);
        using Stream text = CorpusFile.Decompress(path, file);
        bool lines = asLines || CorpusDomain.IsJsonLines(path);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BlockBytes);
        int filled = 0;
        int searched = 0;
        long line = 1;
        bool atStart = true;
        while (true)
        {
            int room = buffer.Length - filled;
            int read = ReadBlock(path, text, buffer, filled);
            filled += read;
            if (atStart)
            {
                TextEncodings.RefuseUtf16(buffer.AsSpan(0, filled), path);
                (filled, atStart) = (SkipByteOrderMark(buffer, filled), false);
                lines = lines || (!CorpusDomain.IsText(path) && BeginsWithObject(buffer.AsSpan(0, filled)));
            }

            if (read < room)
            {
                yield return new TextChunk(source, buffer, filled, lines ? line : 0, file.CanSeek ? file.Length : 0, isLast: true);
                yield break;
            }

            int end = lines ? searched + buffer.AsSpan(searched, filled - searched).LastIndexOf((byte)'\n') + 1 : 0;
            if (end > searched)
            {
                byte[] next = ArrayPool<byte>.Shared.Rent(Math.Max(BlockBytes, filled - end));
                buffer.AsSpan(end, filled - end).CopyTo(next);
                long firstLine = line;
                line += buffer.AsSpan(0, end).Count((byte)'\n');
                var chunk = new TextChunk(source, buffer, end, firstLine, file.CanSeek ? file.Position : 0, isLast: false);
                (buffer, filled, searched) = (next, filled - end, filled - end);
                yield return chunk;
                continue;
            }

            searched = filled;
            if (filled >= MaxDocumentBytes)
                throw new TokenDataException($"{path}{(lines ? $", line {line}" : "")}: a document of more than {MaxDocumentBytes >> 20} MiB. Cut it into several.");
            Array.Resize(ref buffer, Math.Min(MaxDocumentBytes + 1, buffer.Length * 2));
        }
    }

    private static bool BeginsWithObject(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOf((byte)'\n');
        return TextRecordReader.IsObject(end < 0 ? text : text[..end]);
    }

    // Fills the buffer unless the file ends.
    private static int ReadBlock(string path, Stream text, byte[] buffer, int filled)
    {
        try
        {
            return text.ReadAtLeast(buffer.AsSpan(filled), buffer.Length - filled, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static int SkipByteOrderMark(byte[] buffer, int filled)
    {
        if (!buffer.AsSpan(0, filled).StartsWith(ByteOrderMark))
            return filled;
        buffer.AsSpan(ByteOrderMark.Length, filled - ByteOrderMark.Length).CopyTo(buffer);
        return filled - ByteOrderMark.Length;
    }
}
