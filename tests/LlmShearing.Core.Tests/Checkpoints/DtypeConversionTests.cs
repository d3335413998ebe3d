using System.Runtime.InteropServices;
using LlmShearing.Checkpoints;

namespace LlmShearing.Core.Tests.Checkpoints;

public class DtypeConversionTests
{
    // 67 is no multiple of any vector length, so that the scalar tail is covered too.
    private static readonly ushort[] AllHalfBits = [.. Enumerable.Range(0, 65536 + 67).Select(i => (ushort)i)];

    [Fact]
    public void ToFloat32_EveryBFloat16_IsTheUpperHalfOfASingle()
    {
        float[] actual = Widen(SafetensorsDtype.BF16, AllHalfBits);
        Assert.All(Enumerable.Range(0, actual.Length), i => Assert.Equal((uint)AllHalfBits[i] << 16, BitConverter.SingleToUInt32Bits(actual[i])));
    }

    [Fact]
    public void ToFloat32_EveryHalf_EqualsTheRuntime()
    {
        float[] actual = Widen(SafetensorsDtype.F16, AllHalfBits);
        for (int i = 0; i < actual.Length; i++)
            Assert.Equal((float)BitConverter.UInt16BitsToHalf(AllHalfBits[i]), actual[i]);
    }

    [Theory]
    [InlineData(SafetensorsDtype.F16)]
    [InlineData(SafetensorsDtype.BF16)]
    public void FromFloat32_EveryStoredValue_ComesBack(SafetensorsDtype dtype)
    {
        float[] values = Widen(dtype, AllHalfBits);
        ushort[] back = Narrow(dtype, values);
        for (int i = 0; i < back.Length; i++)
            if (!float.IsNaN(values[i]))
                Assert.Equal(AllHalfBits[i], back[i]);
    }

    [Fact]
    public void FromFloat32_HalfwayAndRandomBits_RoundsToNearestEven()
    {
        float[] values = Samples();
        ushort[] half = Narrow(SafetensorsDtype.F16, values), brain = Narrow(SafetensorsDtype.BF16, values);
        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsNaN(values[i]))
            {
                Assert.True(Half.IsNaN(BitConverter.UInt16BitsToHalf(half[i])));
                Assert.True((brain[i] & 0x7FC0) == 0x7FC0, "a NaN must stay a quiet NaN");
                continue;
            }

            Assert.Equal(BitConverter.HalfToUInt16Bits((Half)values[i]), half[i]);
            Assert.Equal(NearestBFloat16(values[i]), brain[i]);
        }
    }

    [Fact]
    public void ToFloat32_UnalignedAndDouble_Work()
    {
        byte[] bytes = new byte[1 + (8 * 9)];
        double[] values = [.. Enumerable.Range(0, 9).Select(i => i / 3.0)];
        MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(bytes.AsSpan(1));
        float[] actual = new float[9];
        DtypeConversion.ToFloat32(SafetensorsDtype.F64, bytes.AsSpan(1), actual);
        Assert.Equal(values.Select(v => (float)v), actual);
    }

    [Fact]
    public void ToFloat32_WrongLengthOrType_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => DtypeConversion.ToFloat32(SafetensorsDtype.BF16, new byte[6], new float[2]));
        Assert.Throws<ArgumentException>(() => DtypeConversion.ToFloat32(SafetensorsDtype.I16, new byte[4], new float[2]));
    }

    /// <summary>The nearest of the two neighbours by exact (double) distance; on a tie the even one.</summary>
    private static ushort NearestBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint below = bits >> 16, above = below + 1;
        if ((bits & 0xFFFF) == 0 || float.IsInfinity(value))
            return (ushort)below;
        double low = Math.Abs(value - (double)BitConverter.UInt32BitsToSingle(below << 16));
        double upper = (above & 0x7FFF) == 0x7F80 ? Math.ScaleB(1, 128) : Math.Abs((double)BitConverter.UInt32BitsToSingle(above << 16));
        double high = Math.Abs(Math.Abs((double)value) - upper);
        return (ushort)(low < high || (low == high && below % 2 == 0) ? below : above);
    }

    private static float[] Samples()
    {
        var random = new Random(7);
        var values = new List<float> { 0f, -0f, 1e-45f, 65504f, 65519.996f, 65520f, 65536f, -65520f, float.MaxValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, BitConverter.UInt32BitsToSingle(0x7F800001), 5.9604645e-8f, 2.9802322e-8f, 2.9802326e-8f, 6.1035156e-5f };
        for (int i = 0; i < 200_000; i++)
            values.Add(BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)));
        for (int i = 0; i < 65536; i++)
        {
            values.Add(BitConverter.UInt32BitsToSingle(((uint)i << 16) | 0x8000));
            values.Add((float)BitConverter.UInt16BitsToHalf((ushort)i) + MathF.ScaleB(1, -25));
        }

        return [.. values];
    }

    private static float[] Widen(SafetensorsDtype dtype, ushort[] bits)
    {
        float[] values = new float[bits.Length];
        DtypeConversion.ToFloat32(dtype, MemoryMarshal.AsBytes(bits.AsSpan()), values);
        return values;
    }

    private static ushort[] Narrow(SafetensorsDtype dtype, float[] values)
    {
        ushort[] bits = new ushort[values.Length];
        DtypeConversion.FromFloat32(dtype, values, MemoryMarshal.AsBytes(bits.AsSpan()));
        return bits;
    }
}
