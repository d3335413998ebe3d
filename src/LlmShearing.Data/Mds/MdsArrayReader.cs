// Arrays inside MDS samples: what of dtype and shape the encoding does not fix stands in front of the values.
using System.Buffers.Binary;

namespace LlmShearing.Data.Mds;

internal static class MdsArrayReader
{
    private const int MaxDimensions = 63;

    public static MdsArray Read(MdsColumn column, ReadOnlySpan<byte> data)
    {
        (MdsDtype dtype, long[] shape, int start) = Header(column, data);
        ReadOnlySpan<byte> values = data[start..];
        object[] result = new object[values.Length / dtype.Bytes];
        for (int i = 0; i < result.Length; i++)
            result[i] = dtype.IsFloat ? MdsValues.Float(dtype, values[(i * dtype.Bytes)..]) : MdsValues.Integer(dtype, values[(i * dtype.Bytes)..]);
        return new MdsArray(dtype.Name, shape, result);
    }

    /// <summary>Type, shape and where the values begin; they fill the rest exactly.</summary>
    /// <exception cref="FormatException">The header is damaged or the values do not fill the shape.</exception>
    public static (MdsDtype Dtype, long[] Shape, int Start) Header(MdsColumn column, ReadOnlySpan<byte> data)
    {
        int at = 0;
        MdsDtype? dtype = column.Dtype;
        if (dtype is null)
            dtype = (data.IsEmpty ? null : MdsDtype.Of(data[at++])) ?? throw new FormatException(data.IsEmpty ? "it is empty" : $"{data[0]} stands for no type");
        long[] shape = column.Shape ?? ReadShape(data, ref at);
        Int128 bytes = dtype.Bytes;
        foreach (long n in shape)
            bytes = n > 0 ? Int128.Min(bytes * n, long.MaxValue) : throw new FormatException($"a dimension is {n}");
        return bytes == data.Length - at
            ? (dtype, shape, at)
            : throw new FormatException($"{data.Length - at} bytes of values; {dtype.Name} of shape [{string.Join(", ", shape)}] takes {bytes}");
    }

    private static long[] ReadShape(ReadOnlySpan<byte> data, ref int at)
    {
        if (at >= data.Length)
            throw new FormatException("it ends before its shape");
        int dimensions = data[at] >> 2;
        int width = 1 << (data[at] & 3);
        at++;
        if (dimensions is < 1 or > MaxDimensions || data.Length - at < dimensions * width)
            throw new FormatException($"a shape of {dimensions} dimensions does not fit");
        long[] shape = new long[dimensions];
        for (int i = 0; i < dimensions; i++, at += width)
        {
            ReadOnlySpan<byte> n = data[at..];
            shape[i] = width switch
            {
                1 => n[0],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(n),
                4 => BinaryPrimitives.ReadUInt32LittleEndian(n),
                _ => BinaryPrimitives.ReadInt64LittleEndian(n),
            };
        }

        return shape;
    }
}
