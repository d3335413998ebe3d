// Megatron's indexed data sets: X.bin has the ids, X.idx says where sequences and documents begin.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Formats;

internal static class MegatronFile
{
    private const int HeaderBytes = 34;

    public static ReadOnlySpan<byte> Magic => "MMIDIDX\0\0"u8;

    /// <param name="stem">Path without .bin or .idx.</param>
    /// <param name="options">With a row length the ids of all documents are cut into rows; without, each document is a row.</param>
    public static ITokenRows Open(string stem, TokenRowsOptions options)
    {
        string index = stem + ".idx";
        string data = stem + ".bin";
        if (!File.Exists(data))
            throw new TokenDataException($"{data} does not exist; {index} is its index.");
        (TokenDtype dtype, long[] documents) = ReadIndex(index);
        long bytes = TokenStreams.Length(data);
        if (documents[^1] * dtype.Bytes() != bytes)
            throw new TokenDataException($"{data} has {bytes} bytes; {index} describes {documents[^1]} ids of {dtype.Bytes()} bytes. It is cut short or belongs to another index.");
        var tokens = new MappedTokens(data, 0, documents[^1], dtype, options.VocabularySize ?? int.MaxValue);
        bool rows = options.RowLength is not null;
        return new MappedTokenRows(options.Name ?? Path.GetFileName(stem), "megatron", tokens, rows ? TokenStreams.RowLength(data, options) : 0, rows ? null : documents, options.VocabularySize, data, index);
    }

    /// <returns>Type of the ids; first id of each document and the end of the last.</returns>
    private static (TokenDtype Dtype, long[] Documents) ReadIndex(string path)
    {
        using FileStream file = TokenStreams.OpenFile(path);
        Span<byte> header = stackalloc byte[HeaderBytes];
        int read = file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false);
        if (read < HeaderBytes || !header.StartsWith(Magic))
            throw new TokenDataException($"{path} is no Megatron index.");
        ulong version = BinaryPrimitives.ReadUInt64LittleEndian(header[9..]);
        if (version != 1)
            throw new TokenDataException($"{path}: version {version}; expected 1.");
        TokenDtype dtype = header[17] switch
        {
            1 => TokenDtype.UInt8,
            2 => TokenDtype.Int8,
            3 => TokenDtype.Int16,
            4 => TokenDtype.Int32,
            5 => TokenDtype.Int64,
            8 => TokenDtype.UInt16,
            _ => throw new TokenDataException($"{path}: type code {header[17]} stands for no integers (1, 2, 3, 4, 5 and 8 do)."),
        };
        ulong sequences = BinaryPrimitives.ReadUInt64LittleEndian(header[18..]);
        ulong bounds = BinaryPrimitives.ReadUInt64LittleEndian(header[26..]);
        UInt128 expected = HeaderBytes + ((UInt128)sequences * 12) + ((UInt128)bounds * 8);
        if (expected != (UInt128)file.Length && expected + sequences != (UInt128)file.Length)
            throw new TokenDataException($"{path}: {sequences} sequences and {bounds} document bounds make an index of {expected} bytes; it has {file.Length}. It is cut short or damaged.");
        if (bounds < 1 || sequences > int.MaxValue - 1 || bounds > int.MaxValue)
            throw new TokenDataException($"{path}: {sequences} sequences and {bounds} document bounds; expected at least one bound, and at most {int.MaxValue - 1} of each.");
        return (dtype, Documents(path, dtype, Read<int>(file, (int)sequences), Read<long>(file, (int)sequences), Read<long>(file, (int)bounds)));
    }

    private static long[] Documents(string path, TokenDtype dtype, int[] lengths, long[] pointers, long[] bounds)
    {
        long[] starts = new long[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] < 0 || pointers[i] != starts[i] * dtype.Bytes())
                throw new TokenDataException($"{path}: sequence {i} has {lengths[i]} ids from byte {pointers[i]}; expected it to begin at byte {starts[i] * dtype.Bytes()}, behind the one before.");
            starts[i + 1] = starts[i] + lengths[i];
        }

        long[] documents = new long[bounds.Length];
        for (int i = 0; i < bounds.Length; i++)
        {
            long least = i == 0 ? 0 : bounds[i - 1];
            long most = i == 0 ? 0 : lengths.Length;
            if (bounds[i] < least || bounds[i] > most || (i == bounds.Length - 1 && bounds[i] != lengths.Length))
                throw new TokenDataException($"{path}: document bound {i} is {bounds[i]}; expected bounds from 0 to {lengths.Length} that do not decrease.");
            documents[i] = starts[bounds[i]];
            if (i > 0 && documents[i] - documents[i - 1] > int.MaxValue)
                throw new TokenDataException($"{path}: document {i - 1} has more than {int.MaxValue} ids. Give a row length.");
        }

        return documents;
    }

    private static T[] Read<T>(FileStream file, int count)
        where T : unmanaged
    {
        var values = new T[count];
        file.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
