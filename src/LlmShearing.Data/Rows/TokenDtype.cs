// How ids lie in files: little-endian integers of several widths.
using System.Buffers.Binary;

namespace LlmShearing.Data;

internal enum TokenDtype
{
    UInt8,
    Int8,
    UInt16,
    Int16,
    UInt32,
    Int32,
    UInt64,
    Int64,
}

internal static class TokenDtypes
{
    public static int Bytes(this TokenDtype dtype) => dtype switch
    {
        TokenDtype.UInt8 or TokenDtype.Int8 => 1,
        TokenDtype.UInt16 or TokenDtype.Int16 => 2,
        TokenDtype.UInt32 or TokenDtype.Int32 => 4,
        _ => 8,
    };

    public static string Name(this TokenDtype dtype) => dtype.ToString().ToLowerInvariant();

    /// <summary>Widens little-endian values to ids.</summary>
    /// <param name="dtype">What the bytes hold.</param>
    /// <param name="source">The bytes; as many values as <paramref name="ids"/> has room for.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="limit">Ids must be below this.</param>
    /// <returns>Index of the first value that is no id below the limit, or -1.</returns>
    public static int Widen(this TokenDtype dtype, ReadOnlySpan<byte> source, Span<int> ids, int limit)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            long value = dtype.Value(source, i);
            if ((ulong)value >= (ulong)limit)
                return i;
            ids[i] = (int)value;
        }

        return -1;
    }

    /// <summary>One value. Unsigned 64-bit values beyond the signed range come out negative: they are no ids either way.</summary>
    public static long Value(this TokenDtype dtype, ReadOnlySpan<byte> source, int index) => dtype switch
    {
        TokenDtype.UInt8 => source[index],
        TokenDtype.Int8 => (sbyte)source[index],
        TokenDtype.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * index)..]),
        TokenDtype.Int16 => BinaryPrimitives.ReadInt16LittleEndian(source[(2 * index)..]),
        TokenDtype.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(source[(4 * index)..]),
        TokenDtype.Int32 => BinaryPrimitives.ReadInt32LittleEndian(source[(4 * index)..]),
        _ => BinaryPrimitives.ReadInt64LittleEndian(source[(8 * index)..]),
    };
}
