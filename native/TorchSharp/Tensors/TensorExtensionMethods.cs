// Conversions of a one-element tensor to a .NET number, and small helpers, as extension methods.
using TorchSharp.Modules;

namespace TorchSharp;

public static class TensorExtensionMethods
{
    public static float ToSingle(this torch.Tensor value) => (float)value.ScalarAsDouble();
    public static double ToDouble(this torch.Tensor value) => value.ScalarAsDouble();
    public static Half ToHalf(this torch.Tensor value) => (Half)value.ScalarAsDouble();
    public static sbyte ToSByte(this torch.Tensor value) => (sbyte)value.ScalarAsInt64();
    public static byte ToByte(this torch.Tensor value) => (byte)value.ScalarAsInt64();
    public static short ToInt16(this torch.Tensor value) => (short)value.ScalarAsInt64();
    public static int ToInt32(this torch.Tensor value) => (int)value.ScalarAsInt64();
    public static long ToInt64(this torch.Tensor value) => value.ScalarAsInt64();
    public static bool ToBoolean(this torch.Tensor value) => value.ScalarAsDouble() != 0;

    public static Parameter AsParameter(this torch.Tensor tensor) => new(tensor);

    public static long TotalSize(this IEnumerable<long> shape) => shape.Aggregate(1L, (product, size) => checked(product * size));

    public static int ElementSize(this torch.ScalarType type) => type switch
    {
        torch.ScalarType.Byte or torch.ScalarType.Int8 or torch.ScalarType.Bool => 1,
        torch.ScalarType.Int16 or torch.ScalarType.Float16 or torch.ScalarType.BFloat16 => 2,
        torch.ScalarType.Int32 or torch.ScalarType.Float32 => 4,
        torch.ScalarType.Int64 or torch.ScalarType.Float64 or torch.ScalarType.ComplexFloat32 => 8,
        torch.ScalarType.ComplexFloat64 => 16,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not an element type."),
    };
}
