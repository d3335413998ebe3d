// The 256 bytes in front of the ids of a shard file. docs/token-shards.md states the layout.
using System.Buffers.Binary;
using System.Text;
using LlmShearing.Data.Rows;
using LlmShearing.Files;

namespace LlmShearing.Data.Shards;

/// <param name="Domain">Name of the domain.</param>
/// <param name="Dtype">UInt16 or UInt32.</param>
/// <param name="RowLength">Ids a row.</param>
/// <param name="VocabularySize">Every id is below it.</param>
/// <param name="Rows">Rows of this file.</param>
/// <param name="Sha256">Digest of the bytes after the header.</param>
internal sealed record TokenShardHeader(string Domain, TokenDtype Dtype, int RowLength, int VocabularySize, long Rows, byte[] Sha256)
{
    public const int Size = 256;
    public const string Extension = ".tok";
    public const int MaxDomainBytes = Size - NameOffset;
    private const int Version = 1;
    private const int NameOffset = 72;

    public static ReadOnlySpan<byte> Magic => "SHEARTOK"u8;

    public long RowBytes => (long)RowLength * Dtype.Bytes();

    /// <summary>The narrowest type for a vocabulary.</summary>
    public static TokenDtype DtypeFor(int vocabularySize) => vocabularySize <= 1 << 16 ? TokenDtype.UInt16 : TokenDtype.UInt32;

    public void Write(Span<byte> header)
    {
        header[..Size].Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], Dtype.Bytes());
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], RowLength);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], VocabularySize);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], Rows);
        Sha256.CopyTo(header[32..]);
        int nameBytes = Encoding.UTF8.GetBytes(Domain, header[NameOffset..Size]);
        BinaryPrimitives.WriteInt32LittleEndian(header[64..], nameBytes);
    }

    /// <summary>Reads the header of a file and compares it with the file's size.</summary>
    public static TokenShardHeader Read(string path)
    {
        try
        {
            LfsPointer.Refuse(path);
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            Span<byte> header = stackalloc byte[Size];
            int read = stream.ReadAtLeast(header, Size, throwOnEndOfStream: false);
            return Parse(path, header[..read], stream.Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static TokenShardHeader Parse(string path, ReadOnlySpan<byte> header, long fileBytes)
    {
        if (header.Length < Size || !header.StartsWith(Magic))
            throw new TokenDataException($"{path} is no token shard: it does not begin with a header of {Size} bytes that starts with {Encoding.ASCII.GetString(Magic)}.");
        int Int(int offset, ReadOnlySpan<byte> h) => BinaryPrimitives.ReadInt32LittleEndian(h[offset..]);
        int version = Int(8, header);
        if (version != Version)
            throw new TokenDataException($"{path}: version {version}; this library reads version {Version}. A newer library may read it.");
        TokenDtype dtype = Int(12, header) switch
        {
            2 => TokenDtype.UInt16,
            4 => TokenDtype.UInt32,
            int other => throw new TokenDataException($"{path}: {other} bytes an id; expected 2 or 4. The header is damaged."),
        };
        int rowLength = Positive(path, "row length", Int(16, header));
        int vocabulary = Positive(path, "vocabulary size", Int(20, header));
        long rows = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
        Int128 expected = Size + ((Int128)rows * rowLength * dtype.Bytes());
        if (rows < 0 || expected != fileBytes)
            throw new TokenDataException($"{path}: the header announces {rows} rows of {rowLength} ids, a file of {expected} bytes; the file has {fileBytes}. It is cut short or damaged; make it again.");
        int nameBytes = Int(64, header);
        if (nameBytes < 1 || nameBytes > MaxDomainBytes)
            throw new TokenDataException($"{path}: the domain's name has {nameBytes} bytes; expected 1 to {MaxDomainBytes}. The header is damaged.");
        return new TokenShardHeader(Encoding.UTF8.GetString(header.Slice(NameOffset, nameBytes)), dtype, rowLength, vocabulary, rows, header.Slice(32, 32).ToArray());
    }

    private static int Positive(string path, string what, int value) =>
        value > 0 ? value : throw new TokenDataException($"{path}: {what} {value}; expected at least 1. The header is damaged.");
}
