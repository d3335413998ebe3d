// The memory of a tensor as plain bytes. Reading and writing them may run on any thread; tensors are made, and their memory looked up, on the
// caller's thread only (dispose scopes are per thread).
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>The memory of a contiguous CPU tensor. The tensor must stay alive while it is used.</summary>
public readonly unsafe struct WeightMemory
{
    private const int ChunkElements = 64 << 10;

    private readonly byte* _start;
    private readonly ScalarType _dtype;

    /// <summary>Looks the memory up, on the thread that owns the tensor.</summary>
    /// <param name="tensor">A contiguous tensor on the CPU.</param>
    public WeightMemory(Tensor tensor)
    {
        _dtype = tensor.dtype;
        ElementCount = tensor.NumberOfElements;
        HostMemory.Ensure(tensor);
        if (ElementCount == 0)
            return;

        // The bytes of a whole tensor are a span, so at most 2 GiB; those of its first element have the same start.
        using Tensor flat = tensor.view(-1).DetachFromDisposeScope();
        using Tensor first = flat.narrow(0, 0, 1).DetachFromDisposeScope();
        _start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }

    /// <summary>Type of the elements.</summary>
    public ScalarType Dtype => _dtype;

    /// <summary>Number of elements.</summary>
    public long ElementCount { get; }

    /// <summary>The first byte; null when there is no element.</summary>
    public byte* Start => _start;

    /// <summary>The elements of a float32 tensor.</summary>
    public float* Floats => _dtype == ScalarType.Float32 ? (float*)_start : throw new InvalidOperationException($"The tensor holds {_dtype}, not Float32.");

    /// <summary>Index of the first element of a range that is NaN or infinite, or -1.</summary>
    public long FirstNonFinite(long start, long count)
    {
        long end = start + count;
        for (long i = start; i < end; i += ChunkElements)
        {
            int n = (int)Math.Min(ChunkElements, end - i), at = _dtype switch
            {
                ScalarType.Float32 => FirstWithExponent(new ReadOnlySpan<uint>((uint*)_start + i, n), 0x7F800000),
                ScalarType.BFloat16 => FirstWithExponent(new ReadOnlySpan<ushort>((ushort*)_start + i, n), 0x7F80),
                _ => FirstWithExponent(new ReadOnlySpan<ushort>((ushort*)_start + i, n), 0x7C00),
            };
            if (at >= 0)
                return i + at;
        }

        return -1;
    }

    // All exponent bits set = NaN or infinity.
    private static int FirstWithExponent(ReadOnlySpan<uint> bits, uint exponent)
    {
        int i = 0, step = Vector<uint>.Count;
        var mask = new Vector<uint>(exponent);
        while (i <= bits.Length - step && !Vector.EqualsAny(new Vector<uint>(bits[i..]) & mask, mask))
            i += step;
        for (; i < bits.Length; i++)
            if ((bits[i] & exponent) == exponent)
                return i;
        return -1;
    }

    private static int FirstWithExponent(ReadOnlySpan<ushort> bits, ushort exponent)
    {
        int i = 0, step = Vector<ushort>.Count;
        var mask = new Vector<ushort>(exponent);
        while (i <= bits.Length - step && !Vector.EqualsAny(new Vector<ushort>(bits[i..]) & mask, mask))
            i += step;
        for (; i < bits.Length; i++)
            if ((bits[i] & exponent) == exponent)
                return i;
        return -1;
    }
}
