// Bytes from a checkpoint straight into the memory of a tensor.
using System.Buffers;
using System.Runtime.InteropServices;
using LlmShearing.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Checkpoints;

/// <summary>Fills the memory of tensors from a checkpoint. May run on any thread.</summary>
public static unsafe class CheckpointMemory
{
    private const int ChunkElements = 64 << 10;

    /// <summary>Reads elements from a checkpoint, converted when the types differ: exact when widening, rounded to nearest even when narrowing.</summary>
    /// <param name="memory">Where the elements go.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="name">Tensor name there.</param>
    /// <param name="source">First element of the tensor there.</param>
    /// <param name="destination">First element to fill here.</param>
    /// <param name="count">Number of elements.</param>
    /// <param name="cancellationToken">Checked about every 4 MiB.</param>
    public static void Read(this WeightMemory memory, LlamaCheckpoint checkpoint, string name, long source, long destination, long count, CancellationToken cancellationToken = default)
    {
        const int Part = 1 << 20;
        CheckpointTensor stored = checkpoint[name];
        SafetensorsDtype wanted = StoredAs(memory.Dtype);
        int size = memory.Dtype.ElementSize();
        for (long done = 0; done < count; done += Part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int n = (int)Math.Min(Part, count - done);
            Span<byte> bytes = new(memory.Start + ((destination + done) * size), n * size);
            if (stored.Dtype == wanted)
                checkpoint.ReadBytes(stored, (source + done) * size, bytes);
            else if (wanted == SafetensorsDtype.F32)
                checkpoint.ReadFloat32(name, MemoryMarshal.Cast<byte, float>(bytes), source + done);
            else
                ReadNarrowed(checkpoint, name, wanted, source + done, bytes, n);
        }
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
}
