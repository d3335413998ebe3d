// A number on its way to an operator: an integer, a floating-point number or a truth value.
using TorchSharp.Runtime;

namespace TorchSharp;

public sealed class Scalar : IDisposable
{
    internal readonly SlotKind Kind;
    internal readonly long Bits;

    private Scalar(SlotKind kind, long bits, torch.ScalarType type)
    {
        Kind = kind;
        Bits = bits;
        Type = type;
    }

    public torch.ScalarType Type { get; }

    internal double AsDouble => Kind == SlotKind.Double ? BitConverter.Int64BitsToDouble(Bits) : Bits;
    internal long AsInt64 => Kind == SlotKind.Double ? (long)BitConverter.Int64BitsToDouble(Bits) : Bits;

    public static implicit operator Scalar(byte value) => new(SlotKind.Int, value, torch.ScalarType.Byte);
    public static implicit operator Scalar(sbyte value) => new(SlotKind.Int, value, torch.ScalarType.Int8);
    public static implicit operator Scalar(short value) => new(SlotKind.Int, value, torch.ScalarType.Int16);
    public static implicit operator Scalar(int value) => new(SlotKind.Int, value, torch.ScalarType.Int32);
    public static implicit operator Scalar(long value) => new(SlotKind.Int, value, torch.ScalarType.Int64);
    public static implicit operator Scalar(Half value) => Real((double)value, torch.ScalarType.Float16);
    public static implicit operator Scalar(float value) => Real(value, torch.ScalarType.Float32);
    public static implicit operator Scalar(double value) => Real(value, torch.ScalarType.Float64);
    public static implicit operator Scalar(bool value) => new(SlotKind.Bool, value ? 1 : 0, torch.ScalarType.Bool);

    private static Scalar Real(double value, torch.ScalarType type) => new(SlotKind.Double, BitConverter.DoubleToInt64Bits(value), type);

    /// <summary>Nothing native is held; exists because the original has it.</summary>
    public void Dispose() { }
}

public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this byte value) => value;
    public static Scalar ToScalar(this sbyte value) => value;
    public static Scalar ToScalar(this short value) => value;
    public static Scalar ToScalar(this int value) => value;
    public static Scalar ToScalar(this long value) => value;
    public static Scalar ToScalar(this Half value) => value;
    public static Scalar ToScalar(this float value) => value;
    public static Scalar ToScalar(this double value) => value;
    public static Scalar ToScalar(this bool value) => value;
    public static float ToSingle(this Scalar value) => (float)value.AsDouble;
    public static double ToDouble(this Scalar value) => value.AsDouble;
    public static Half ToHalf(this Scalar value) => (Half)value.AsDouble;
    public static sbyte ToSByte(this Scalar value) => (sbyte)value.AsInt64;
    public static byte ToByte(this Scalar value) => (byte)value.AsInt64;
    public static short ToInt16(this Scalar value) => (short)value.AsInt64;
    public static int ToInt32(this Scalar value) => (int)value.AsInt64;
    public static long ToInt64(this Scalar value) => value.AsInt64;
    public static bool ToBoolean(this Scalar value) => value.AsDouble != 0;
}
