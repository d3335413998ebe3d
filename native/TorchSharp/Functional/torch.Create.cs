// Making tensors: the helpers behind the factory overloads, and the factories with signatures of their own.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp.Runtime;

namespace TorchSharp;

public static partial class torch
{
    private static Tensor Plain(string op, Arg size, ScalarType? dtype, Device? device, bool requires_grad) =>
        Grad(Operators.Run(op, size, dtype, Arg.None, device), requires_grad);

    private static Tensor Plain(string op, long[] size, ScalarType? dtype, Device? device, bool requires_grad) =>
        Plain(op, (Arg)size, dtype, device, requires_grad);

    private static Tensor Random(string op, long[] size, Generator? generator, ScalarType? dtype, Device? device, bool requires_grad) =>
        Grad(Operators.Run(op, size, generator, dtype, Arg.None, device), requires_grad);

    private static Tensor Random(string op, ReadOnlySpan<long> size, Generator? generator, ScalarType? dtype, Device? device, bool requires_grad) =>
        Random(op, size.ToArray(), generator, dtype, device, requires_grad);

    private static Tensor Filled(long[] size, Scalar value, ScalarType? dtype, Device? device, bool requires_grad) =>
        Grad(Operators.Run("aten::full", size, value, dtype, Arg.None, device), requires_grad);

    private static Tensor Filled(ReadOnlySpan<long> size, Scalar value, ScalarType? dtype, Device? device, bool requires_grad) =>
        Filled(size.ToArray(), value, dtype, device, requires_grad);

    private static Tensor Grad(Tensor tensor, bool requires_grad)
    {
        if (requires_grad) tensor.requires_grad = true;
        return tensor;
    }

    private static unsafe Tensor FromSpan<T>(ReadOnlySpan<T> data, ReadOnlySpan<long> shape, ScalarType? dtype, Device? device, bool requires_grad) where T : unmanaged
    {
        long count = 1;
        foreach (long s in shape) count = checked(count * s);
        if (count != data.Length)
            throw new ArgumentException($"{data.Length} elements do not fill the shape [{string.Join(", ", shape.ToArray())}], which needs {count}.");
        Tensor result = Operators.Run("aten::empty.memory_format", shape, TypeOf(typeof(T)));
        if (count > 0) data.CopyTo(new Span<T>((void*)result.DataPointer(), data.Length));
        return Finish(result, dtype, device, requires_grad);
    }

    private static Tensor FromScalar<T>(T value, ScalarType? dtype, Device? device, bool requires_grad) where T : unmanaged =>
        FromSpan<T>(new ReadOnlySpan<T>(in value), [], dtype, device, requires_grad);

    private static unsafe Tensor FromArray(Array array, ScalarType? dtype, Device? device, bool requires_grad)
    {
        ScalarType type = TypeOf(array.GetType().GetElementType()!);
        Tensor result = Operators.Run("aten::empty.memory_format", ShapeOf(array), type);
        long bytes = array.LongLength * type.ElementSize();
        fixed (byte* source = &MemoryMarshal.GetArrayDataReference(array))
        {
            Buffer.MemoryCopy(source, (void*)result.DataPointer(), bytes, bytes);
        }

        return Finish(result, dtype, device, requires_grad);
    }

    private static Tensor Finish(Tensor tensor, ScalarType? dtype, Device? device, bool requires_grad)
    {
        if ((dtype is { } wanted && wanted != tensor.dtype) || (device is not null && device.type != DeviceType.CPU))
        {
            using Tensor before = tensor;
            tensor = before.to(dtype ?? before.dtype, device ?? CPU);
        }

        return Grad(tensor, requires_grad);
    }

    internal static ScalarType TypeOf(Type type) =>
        type == typeof(float) ? ScalarType.Float32 : type == typeof(double) ? ScalarType.Float64
        : type == typeof(long) ? ScalarType.Int64 : type == typeof(int) ? ScalarType.Int32
        : type == typeof(short) ? ScalarType.Int16 : type == typeof(sbyte) ? ScalarType.Int8
        : type == typeof(byte) ? ScalarType.Byte : type == typeof(bool) ? ScalarType.Bool
        : type == typeof(Half) ? ScalarType.Float16
        : throw new NotSupportedException($"{type.Name} is no element type of a tensor.");

    private static long[] ShapeOf(Array array)
    {
        var shape = new long[array.Rank];
        for (int d = 0; d < shape.Length; d++) shape[d] = array.GetLongLength(d);
        return shape;
    }

    /// <summary>Shares the array's memory: the array stays pinned until the tensor's storage is released.</summary>
    public static Tensor from_array(Array rawArray, Device? device = null) => from_array(rawArray, null, device);

    public static unsafe Tensor from_array(Array rawArray, ScalarType? dtype, Device? device = null, bool requires_grad = false, string[]? names = null)
    {
        ScalarType type = TypeOf(rawArray.GetType().GetElementType()!);
        if (rawArray.LongLength == 0) return zeros(ShapeOf(rawArray), dtype ?? type, device, requires_grad);
        return Finish(Share(rawArray, type, ShapeOf(rawArray), 0), dtype, device, requires_grad);
    }

    /// <summary>Elements <paramref name="offset"/> and on of a one-dimensional array, shared; a differing dtype converts the values.</summary>
    public static Tensor frombuffer(Array rawArray, ScalarType dtype, long count = -1, long offset = 0, bool requires_grad = false)
    {
        if (rawArray.Rank != 1) throw new ArgumentException("frombuffer takes a one-dimensional array.", nameof(rawArray));
        long available = rawArray.LongLength - offset;
        if (count < 0) count = available;
        if (offset < 0 || count > available)
            throw new ArgumentException($"{count} elements from {offset} on do not lie in an array of {rawArray.LongLength}.");
        ScalarType type = TypeOf(rawArray.GetType().GetElementType()!);
        return Finish(Share(rawArray, type, [count], offset), dtype, null, requires_grad);
    }

    private static unsafe Tensor Share(Array array, ScalarType type, long[] shape, long offset)
    {
        GCHandle pin = GCHandle.Alloc(array, GCHandleType.Pinned);
        nint start = pin.AddrOfPinnedObject() + (nint)(offset * type.ElementSize());
        nint handle;
        fixed (long* sizes = shape)
        {
            handle = Native.lts_from_blob(start, sizes, shape.Length, (int)type, &Unpin, GCHandle.ToIntPtr(pin));
        }

        if (handle == 0)
        {
            pin.Free();
            Native.Throw();
        }

        return new Tensor(handle);
    }

    [UnmanagedCallersOnly]
    private static void Unpin(nint context) => GCHandle.FromIntPtr(context).Free();

    public static Tensor as_tensor(Tensor data, ScalarType? dtype = null, Device? device = null) => data.to(dtype ?? data.dtype, device ?? data.device);
    public static Tensor as_tensor(Array data, ScalarType? dtype = null, Device? device = null) => from_array(data, dtype, device);

    public static Tensor empty_strided(long[] size, long[] strides, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        Grad(Operators.Run("aten::empty_strided", size, strides, dtype, Arg.None, device), requires_grad);

    public static Tensor eye(long rows, long columns = -1, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        Grad(Operators.Run("aten::eye.m", rows, columns < 0 ? rows : columns, dtype, Arg.None, device), requires_grad);

    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(Operators.Run("aten::arange", stop, dtype, Arg.None, device), requires_grad);
    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(Operators.Run("aten::arange.start", start, stop, dtype, Arg.None, device), requires_grad);
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(Operators.Run("aten::arange.start_step", start, stop, step, dtype, Arg.None, device), requires_grad);
    public static Tensor linspace(double start, double end, long steps, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(Operators.Run("aten::linspace", start, end, steps, dtype, Arg.None, device), requires_grad);

    public static Tensor randint(long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(0, high, size, dtype, device, requires_grad, generator, names);
    public static Tensor randint(long low, long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        Grad(Operators.Run("aten::randint.low_generator", low, high, size, generator, dtype ?? ScalarType.Int64, Arg.None, device), requires_grad);
    public static Tensor randperm(long n, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null) =>
        Grad(Operators.Run("aten::randperm.generator", n, generator, dtype ?? ScalarType.Int64, Arg.None, device), requires_grad);
    public static Tensor normal(double mean, double std, ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        Grad(empty(size, dtype, device).normal_(mean, std, generator), requires_grad);

    public static Tensor zeros_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        Grad(Operators.Run("aten::zeros_like", input, dtype, Arg.None, device), requires_grad);
    public static Tensor ones_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        Grad(Operators.Run("aten::ones_like", input, dtype, Arg.None, device), requires_grad);
    public static Tensor empty_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        Grad(Operators.Run("aten::empty_like", input, dtype, Arg.None, device), requires_grad);
    public static Tensor full_like(Tensor input, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        Grad(Operators.Run("aten::full_like", input, value, dtype, Arg.None, device), requires_grad);
    public static Tensor rand_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(Operators.Run("aten::rand_like", input, dtype, Arg.None, device), requires_grad);
    public static Tensor randn_like(Tensor input, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        Grad(Operators.Run("aten::randn_like", input, dtype, Arg.None, device), requires_grad);

    public partial class Tensor
    {
        public Tensor zeros_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.zeros_like(this, dtype, device, requires_grad);
        public Tensor ones_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.ones_like(this, dtype, device, requires_grad);
        public Tensor empty_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.empty_like(this, dtype, device, requires_grad);
        public Tensor full_like(Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.full_like(this, value, dtype, device, requires_grad);
        public Tensor rand_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.rand_like(this, dtype, device, requires_grad);
        public Tensor randn_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.randn_like(this, dtype, device, requires_grad);
        public Tensor new_zeros(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.zeros(size, dtype ?? this.dtype, device ?? this.device, requires_grad);
        public Tensor new_empty(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.empty(size, dtype ?? this.dtype, device ?? this.device, requires_grad);
        public Tensor new_full(long[] size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => torch.full(size, value, dtype ?? this.dtype, device ?? this.device, requires_grad);
    }
}
