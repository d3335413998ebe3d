// Bytes from a checkpoint straight into the memory of a tensor. Reading is plain byte work and may run on any thread;
// tensors are made, and their memory looked up, on the caller's thread only (dispose scopes are per thread).
using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>The memory of a contiguous CPU tensor. The tensor must stay alive while it is used.</summary>
internal readonly unsafe struct WeightMemory
{
    private const int ChunkElements = 64 << 10;

    private readonly byte* _start;
    private readonly ScalarType _dtype;

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

    /// <summary>Number of elements.</summary>
    public long ElementCount { get; }

    /// <summary>The first byte; null when there is no element.</summary>
    public byte* Start => _start;

    /// <summary>The elements of a float32 tensor.</summary>
    public float* Floats => _dtype == ScalarType.Float32 ? (float*)_start : throw new InvalidOperationException($"The tensor holds {_dtype}, not Float32.");

    /// <summary>Reads elements from a checkpoint, converted when the types differ: exact when widening, rounded to nearest even when narrowing.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="name">Tensor name there.</param>
    /// <param name="source">First element of the tensor there.</param>
    /// <param name="destination">First element to fill here.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="cancellationToken">Checked about every 4 MiB.</param>
    public void Read(LlamaCheckpoint checkpoint, string name, long source, long destination, long count, CancellationToken cancellationToken = default)
    {
        const int Part = 1 << 20;
        CheckpointTensor stored = checkpoint[name];
        SafetensorsDtype wanted = StoredAs(_dtype);
        int size = _dtype.ElementSize();
        for (long done = 0; done < count; done += Part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int n = (int)Math.Min(Part, count - done);
            Span<byte> bytes = new(_start + ((destination + done) * size), n * size);
            if (stored.Dtype == wanted)
                checkpoint.ReadBytes(stored, (source + done) * size, bytes);
            else if (wanted == SafetensorsDtype.F32)
                checkpoint.ReadFloat32(name, MemoryMarshal.Cast<byte, float>(bytes), source + done);
            else
                ReadNarrowed(checkpoint, name, wanted, source + done, bytes, n);
        }
    }

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

    /// <summary>The storage type of a tensor type.</summary>
    public static SafetensorsDtype StoredAs(ScalarType dtype) => dtype switch
    {
        ScalarType.Float32 => SafetensorsDtype.F32,
        ScalarType.Float16 => SafetensorsDtype.F16,
        ScalarType.BFloat16 => SafetensorsDtype.BF16,
        _ => throw new ArgumentException($"Weights can be Float32, Float16 or BFloat16, not {dtype}.", nameof(dtype)),
    };

    private static void ReadNarrowed(LlamaCheckpoint checkpoint, string name, SafetensorsDtype dtype, long source, Span<byte> bytes, int count)
    {
        float[] chunk = ArrayPool<float>.Shared.Rent(Math.Min(ChunkElements, count));
        try
        {
            int size = bytes.Length / count;
            for (int done = 0; done < count;)
            {
                int n = Math.Min(ChunkElements, count - done);
                checkpoint.ReadFloat32(name, chunk.AsSpan(0, n), source + done);
                DtypeConversion.FromFloat32(dtype, chunk.AsSpan(0, n), bytes.Slice(done * size, n * size));
                done += n;
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(chunk);
        }
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
