// An operator argument: converts implicitly from whatever a wrapper has at hand, so that a wrapper stays one line.
using TorchSharp.Runtime;

namespace TorchSharp;

internal readonly struct Arg
{
    internal readonly object? Owner;    // what must stay alive during the call, and the source of list elements
    internal readonly long Value;
    internal readonly SlotKind Kind;

    private Arg(SlotKind kind, long value, object? owner = null)
    {
        Kind = kind;
        Value = value;
        Owner = owner;
    }

    /// <summary>The schema's own default for this argument.</summary>
    internal static Arg Default => new(SlotKind.Default, 0);
    internal static Arg None => default;

    /// <summary>A list of one integer, without an array.</summary>
    internal static Arg ListOf(long value) => new(SlotKind.IntList, value);

    /// <summary>Null entries are absent tensors.</summary>
    internal static Arg Optional(torch.Tensor?[] tensors) => new(SlotKind.OptionalTensorList, 0, tensors);

    internal static Arg List(IEnumerable<torch.Tensor> tensors) => new(SlotKind.TensorList, 0, tensors as torch.Tensor[] ?? tensors.ToArray());

    public static implicit operator Arg(torch.Tensor? tensor) =>
        tensor is null ? default : new(SlotKind.Tensor, tensor.Handle, tensor);
    public static implicit operator Arg(torch.Tensor[]? tensors) => tensors is null ? default : new(SlotKind.TensorList, 0, tensors);
    public static implicit operator Arg(Scalar? scalar) => scalar is null ? default : new(scalar.Kind, scalar.Bits);
    public static implicit operator Arg(long value) => new(SlotKind.Int, value);
    public static implicit operator Arg(long? value) => value is { } v ? new(SlotKind.Int, v) : default;
    public static implicit operator Arg(int value) => new(SlotKind.Int, value);
    public static implicit operator Arg(int? value) => value is { } v ? new(SlotKind.Int, v) : default;
    public static implicit operator Arg(double value) => new(SlotKind.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Arg(float value) => new(SlotKind.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Arg(double? value) => value is { } v ? v : default(Arg);
    public static implicit operator Arg(bool value) => new(SlotKind.Bool, value ? 1 : 0);
    public static implicit operator Arg(bool? value) => value is { } v ? v : default(Arg);
    public static implicit operator Arg(string? value) => value is null ? default : new(SlotKind.String, 0, value);
    public static implicit operator Arg(long[]? values) => values is null ? default : new(SlotKind.IntList, 0, values);
    public static implicit operator Arg(ReadOnlySpan<long> values) => new(SlotKind.IntList, 0, values.ToArray());
    public static implicit operator Arg(double[]? values) => values is null ? default : new(SlotKind.DoubleList, 0, values);
    public static implicit operator Arg(torch.ScalarType type) => new(SlotKind.Int, (long)type);
    public static implicit operator Arg(torch.ScalarType? type) => type is { } t ? new(SlotKind.Int, (long)t) : default;
    public static implicit operator Arg(torch.Device? device) => device is null ? default : new(SlotKind.Device, device.Packed);
    public static implicit operator Arg(torch.Generator? generator) =>
        generator is null ? default : new(SlotKind.Generator, generator.Handle, generator);
}
