// How ids lie in files: little-endian integers of several widths.
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace LlmShearing.Data.Rows;

/// <summary>Type of the ids in a file; all little-endian.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "The values are types.")]
public enum TokenDtype
{
    /// <summary>One byte, unsigned.</summary>
    UInt8,

    /// <summary>One byte, signed.</summary>
    Int8,

    /// <summary>Two bytes, unsigned: vocabularies of up to 65536 ids.</summary>
    UInt16,

    /// <summary>Two bytes, signed.</summary>
    Int16,

    /// <summary>Four bytes, unsigned.</summary>
    UInt32,

    /// <summary>Four bytes, signed.</summary>
    Int32,

    /// <summary>Eight bytes, unsigned.</summary>
    UInt64,

    /// <summary>Eight bytes, signed.</summary>
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

    /// <summary>The inverse of <see cref="Widen"/> for the types that rows are written in.</summary>
    public static void Narrow(this TokenDtype dtype, ReadOnlySpan<int> ids, Span<byte> destination)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if (dtype == TokenDtype.UInt16)
                BinaryPrimitives.WriteUInt16LittleEndian(destination[(2 * i)..], (ushort)ids[i]);
            else
                BinaryPrimitives.WriteInt32LittleEndian(destination[(4 * i)..], ids[i]);
        }
    }
}
