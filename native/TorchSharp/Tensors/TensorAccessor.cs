// A live, typed view of a tensor's elements in row-major order.
using System.Collections;
using System.Runtime.InteropServices;

namespace TorchSharp.Utils;

public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T> where T : unmanaged
{
    private readonly T* data;
    private readonly long[] shape, strides;
    private readonly bool contiguous;

    // Keeps a forgotten tensor from being finalized while its memory is read; a disposed tensor is gone all the same.
    private torch.Tensor? owner;

    internal TensorAccessor(torch.Tensor tensor)
    {
        owner = tensor;
        data = (T*)tensor.DataPointer();
        shape = tensor.shape;
        strides = tensor.stride();
        contiguous = tensor.is_contiguous();
        Count = tensor.NumberOfElements;
    }

    public long Count { get; }
    public bool IsReadOnly => false;

    public T this[params long[] indices]
    {
        get => *Element(indices);
        set => *Element(indices) = value;
    }

    public T[] ToArray()
    {
        var result = new T[Count];
        CopyTo(result);
        return result;
    }

    public Array ToNDArray()
    {
        var result = Array.CreateInstance(typeof(T), shape);
        T[] flat = ToArray();
        if (shape.Length > 0)
        {
            fixed (T* source = flat)
            {
                Span<byte> target = MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(result), flat.Length * sizeof(T));
                new ReadOnlySpan<byte>(source, target.Length).CopyTo(target);
            }
        }

        return result;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        int count = (int)Math.Min(array.Length - arrayIndex, Count - tensorIndex);
        if (contiguous) new ReadOnlySpan<T>(data + tensorIndex, count).CopyTo(array[arrayIndex..]);
        else for (int i = 0; i < count; i++) array[arrayIndex + i] = *At(tensorIndex + i);
        GC.KeepAlive(this);
    }

    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) =>
        CopyFrom((ReadOnlySpan<T>)array, arrayIndex, tensorIndex);

    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        int count = (int)Math.Min(array.Length - arrayIndex, Count - tensorIndex);
        if (contiguous) array.Slice(arrayIndex, count).CopyTo(new Span<T>(data + tensorIndex, count));
        else for (int i = 0; i < count; i++) *At(tensorIndex + i) = array[arrayIndex + i];
        GC.KeepAlive(this);
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (long i = 0; i < Count; i++) yield return Read(i);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose() => owner = null;

    public override bool Equals(object? obj) => obj is TensorAccessor<T> other && this == other;
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    public static bool operator ==(TensorAccessor<T> left, TensorAccessor<T> right) =>
        left is null ? right is null : right is not null && left.Count == right.Count && left.ToArray().AsSpan().SequenceEqual(right.ToArray());
    public static bool operator !=(TensorAccessor<T> left, TensorAccessor<T> right) => !(left == right);

    private T Read(long index) => *At(index);

    private T* At(long index)
    {
        if (contiguous) return data + index;
        long offset = 0;
        for (int d = shape.Length - 1; d >= 0; d--)
        {
            (index, long place) = Math.DivRem(index, shape[d]);
            offset += place * strides[d];
        }

        return data + offset;
    }

    private T* Element(long[] indices)
    {
        if (indices.Length != shape.Length)
            throw new ArgumentException($"The tensor has {shape.Length} dimensions; {indices.Length} indices were given.");
        long offset = 0;
        for (int d = 0; d < indices.Length; d++)
        {
            long i = indices[d] < 0 ? indices[d] + shape[d] : indices[d];
            if ((ulong)i >= (ulong)shape[d]) throw new IndexOutOfRangeException($"Index {indices[d]} of dimension {d}, which has size {shape[d]}.");
            offset += i * strides[d];
        }

        return data + offset;
    }
}
