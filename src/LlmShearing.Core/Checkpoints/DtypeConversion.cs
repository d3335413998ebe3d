// Conversions between the floating-point types of checkpoints. Every conversion goes through float32; spans need no alignment.
using System.Numerics;
using System.Runtime.InteropServices;

namespace LlmShearing.Checkpoints;

/// <summary>Converts stored weights (F64, F32, F16, BF16; little-endian) to and from float32.</summary>
public static class DtypeConversion
{
    /// <summary>Widens or narrows stored elements to float32. Exact for F32, F16 and BF16; F64 rounds to nearest even.</summary>
    /// <param name="dtype">F64, F32, F16 or BF16.</param>
    /// <param name="source">Stored bytes, little-endian.</param>
    /// <param name="destination">One float per element.</param>
    /// <exception cref="ArgumentException">The lengths do not agree, or the type is not a weight type.</exception>
    public static void ToFloat32(SafetensorsDtype dtype, ReadOnlySpan<byte> source, Span<float> destination)
    {
        CheckLengths(dtype, source.Length, destination.Length);
        switch (dtype)
        {
            case SafetensorsDtype.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case SafetensorsDtype.BF16:
                FromBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case SafetensorsDtype.F16:
                FromHalf(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            default:
                FromDouble(MemoryMarshal.Cast<byte, double>(source), destination);
                break;
        }
    }

    /// <summary>Stores float32 values in another type: round to nearest even; overflow becomes infinity; a NaN stays a (quiet) NaN.</summary>
    /// <param name="dtype">F64, F32, F16 or BF16.</param>
    /// <param name="source">Values.</param>
    /// <param name="destination">Stored bytes, little-endian.</param>
    /// <exception cref="ArgumentException">The lengths do not agree, or the type is not a weight type.</exception>
    public static void FromFloat32(SafetensorsDtype dtype, ReadOnlySpan<float> source, Span<byte> destination)
    {
        CheckLengths(dtype, destination.Length, source.Length);
        switch (dtype)
        {
            case SafetensorsDtype.F32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                break;
            case SafetensorsDtype.BF16:
                ToBFloat16(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            case SafetensorsDtype.F16:
                ToHalf(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            default:
                ToDouble(source, MemoryMarshal.Cast<byte, double>(destination));
                break;
        }
    }

    /// <summary>Whether a finite value would become infinite in <paramref name="dtype"/>, and which one is the first.</summary>
    internal static bool Overflows(SafetensorsDtype dtype, ReadOnlySpan<float> values, out float culprit)
    {
        culprit = 0;
        // Halfway between the largest finite value and the next power of two; from there on rounding reaches infinity.
        float limit = dtype switch
        {
            SafetensorsDtype.F16 => 65520f,
            SafetensorsDtype.BF16 => BitConverter.UInt32BitsToSingle(0x7F7F8000),
            _ => float.PositiveInfinity,
        };
        if (float.IsInfinity(limit))
            return false;
        int i = 0;
        var from = new Vector<float>(limit);
        var infinity = new Vector<float>(float.PositiveInfinity);
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> magnitude = Vector.Abs(new Vector<float>(values[i..]));
            if (Vector.LessThanAny(magnitude, infinity) && Vector.GreaterThanOrEqualAny(magnitude, from))
                break; // perhaps: the loop below looks at each element from here on
        }

        for (; i < values.Length; i++)
            if (MathF.Abs(values[i]) >= limit && float.IsFinite(values[i]))
            {
                culprit = values[i];
                return true;
            }

        return false;
    }

    private static void CheckLengths(SafetensorsDtype dtype, int bytes, int elements)
    {
        if (!dtype.IsWeight())
            throw new ArgumentException($"{dtype.FormatName()} is not a floating-point weight type. Weights are F64, F32, F16 or BF16.", nameof(dtype));
        if (bytes != (long)elements * (dtype.Bits() / 8))
            throw new ArgumentException($"{elements} elements of {dtype.FormatName()} are {(long)elements * (dtype.Bits() / 8)} bytes, but {bytes} were given.");
    }

    private static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0, step = Vector<ushort>.Count;
        for (; i <= source.Length - step; i += step)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            Vector.AsVectorSingle(low << 16).CopyTo(destination[i..]);
            Vector.AsVectorSingle(high << 16).CopyTo(destination[(i + (step / 2))..]);
        }

        for (; i < source.Length; i++)
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
    }

    private static void FromHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0, step = Vector<ushort>.Count;
        for (; i <= source.Length - step; i += step)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            HalfBitsToSingle(low).CopyTo(destination[i..]);
            HalfBitsToSingle(high).CopyTo(destination[(i + (step / 2))..]);
        }

        for (; i < source.Length; i++)
            destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
    }

    /// <summary>
    /// Moves exponent and mantissa into place and multiplies by 2^112 to change the exponent bias from 15 to 127: exact for normal and
    /// subnormal numbers alike. Infinities and NaN (half exponent 31) get the full float exponent instead.
    /// </summary>
    private static Vector<float> HalfBitsToSingle(Vector<uint> half)
    {
        Vector<uint> magnitude = (half & new Vector<uint>(0x7FFF)) << 13;
        Vector<uint> sign = (half & new Vector<uint>(0x8000)) << 16;
        Vector<uint> scaled = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude) * new Vector<float>(5.192296858534828e33f));
        Vector<uint> special = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x0F800000)) & new Vector<uint>(0x7F800000);
        return Vector.AsVectorSingle(scaled | special | sign);
    }

    private static void FromDouble(ReadOnlySpan<double> source, Span<float> destination)
    {
        for (int i = 0; i < source.Length; i++)
            destination[i] = (float)source[i];
    }

    private static void ToDouble(ReadOnlySpan<float> source, Span<double> destination)
    {
        for (int i = 0; i < source.Length; i++)
            destination[i] = source[i];
    }

    private static void ToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        int i = 0, step = Vector<ushort>.Count;
        for (; i <= source.Length - step; i += step)
        {
            Vector<uint> low = BFloat16Bits(Vector.AsVectorUInt32(new Vector<float>(source[i..])));
            Vector<uint> high = BFloat16Bits(Vector.AsVectorUInt32(new Vector<float>(source[(i + (step / 2))..])));
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
        {
            uint u = BitConverter.SingleToUInt32Bits(source[i]);
            destination[i] = (ushort)((u & 0x7FFFFFFF) > 0x7F800000 ? (u >> 16) | 0x40 : (u + 0x7FFF + ((u >> 16) & 1)) >> 16);
        }
    }

    private static Vector<uint> BFloat16Bits(Vector<uint> u)
    {
        Vector<uint> rounded = (u + new Vector<uint>(0x7FFF) + ((u >> 16) & Vector<uint>.One)) >> 16;
        Vector<uint> isNaN = Vector.GreaterThan(u & new Vector<uint>(0x7FFFFFFF), new Vector<uint>(0x7F800000));
        return Vector.ConditionalSelect(isNaN, (u >> 16) | new Vector<uint>(0x40), rounded);
    }

    private static void ToHalf(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        int i = 0, step = Vector<ushort>.Count;
        for (; i <= source.Length - step; i += step)
        {
            Vector<uint> low = HalfBits(Vector.AsVectorUInt32(new Vector<float>(source[i..])));
            Vector<uint> high = HalfBits(Vector.AsVectorUInt32(new Vector<float>(source[(i + (step / 2))..])));
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
            destination[i] = BitConverter.HalfToUInt16Bits((Half)source[i]);
    }

    /// <summary>
    /// Normal halves: rebias the exponent and add half a unit (nearest even) before dropping 13 bits. Below 2^-14: adding 0.5 makes the
    /// adder round to the subnormal grid of 2^-24. From 65536 on: infinity, or a quiet NaN. 65520 to 65535 reach infinity through the carry.
    /// </summary>
    private static Vector<uint> HalfBits(Vector<uint> u)
    {
        Vector<uint> magnitude = u & new Vector<uint>(0x7FFFFFFF), sign = (u >> 16) & new Vector<uint>(0x8000);
        Vector<uint> normal = (magnitude - new Vector<uint>(112u << 23) + new Vector<uint>(0xFFF) + ((magnitude >> 13) & Vector<uint>.One)) >> 13;
        Vector<uint> tiny = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude) + new Vector<float>(0.5f)) - new Vector<uint>(126u << 23);
        Vector<uint> isNaN = Vector.GreaterThan(magnitude, new Vector<uint>(0x7F800000));
        Vector<uint> special = Vector.ConditionalSelect(isNaN, ((magnitude >> 13) & new Vector<uint>(0x3FF)) | new Vector<uint>(0x7E00), new Vector<uint>(0x7C00));
        Vector<uint> result = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<uint>(0x38800000)), tiny, normal);
        return Vector.ConditionalSelect(Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x47800000)), special, result) | sign;
    }
}
