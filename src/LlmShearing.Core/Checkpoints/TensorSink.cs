// Where the elements of one tensor are written to, in order, a part at a time.
using System.Buffers;

namespace LlmShearing.Checkpoints;

/// <summary>Takes the elements of one tensor of a checkpoint that is being written.</summary>
public readonly struct TensorSink
{
    private const int ChunkElements = 64 << 10;

    private readonly SafetensorsWriter _writer;
    private readonly CancellationToken _cancellationToken;

    internal TensorSink(SafetensorsWriter writer, SafetensorsEntry entry, CancellationToken cancellationToken) =>
        (_writer, Tensor, _cancellationToken) = (writer, entry, cancellationToken);

    /// <summary>Name, stored type, shape and bytes of the tensor.</summary>
    public SafetensorsEntry Tensor { get; }

    /// <summary>Writes the next elements as they are to be stored.</summary>
    /// <param name="data">Little-endian bytes of type <c>Tensor.Dtype</c>, row-major; any part of what is left.</param>
    /// <exception cref="InvalidOperationException">There is no room for so many bytes.</exception>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public void Write(ReadOnlySpan<byte> data)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        _writer.Write(Tensor.Name, data);
    }

    /// <summary>Writes the next elements, converted to the stored type (round to nearest even).</summary>
    /// <param name="values">Row-major values; any part of what is left.</param>
    /// <exception cref="InvalidOperationException">There is no room for so many elements.</exception>
    /// <exception cref="CheckpointException">A finite value is too large for the stored type, or the file cannot be written.</exception>
    public void WriteFloat32(ReadOnlySpan<float> values)
    {
        int size = Tensor.Dtype.Bits() / 8;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(ChunkElements, values.Length) * size);
        try
        {
            for (; values.Length > 0; values = values[Math.Min(ChunkElements, values.Length)..])
            {
                ReadOnlySpan<float> part = values[..Math.Min(ChunkElements, values.Length)];
                if (DtypeConversion.Overflows(Tensor.Dtype, part, out float culprit))
                    throw new CheckpointException($"'{Tensor.Name}' has the value {culprit}, which {Tensor.Dtype.FormatName()} cannot hold. Store the weights as BF16 or F32.");
                Span<byte> bytes = buffer.AsSpan(0, part.Length * size);
                DtypeConversion.FromFloat32(Tensor.Dtype, part, bytes);
                Write(bytes);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Writes a stored tensor as it is; that of the sink must have its type and size.</summary>
    /// <param name="stored">The tensor of an open checkpoint.</param>
    /// <param name="buffer">Where its bytes pass; any length of at least 1.</param>
    public void CopyFrom(CheckpointTensor stored, byte[] buffer)
    {
        ArgumentNullException.ThrowIfNull(stored);
        ArgumentNullException.ThrowIfNull(buffer);
        if (stored.Dtype != Tensor.Dtype || !stored.Shape.SequenceEqual(Tensor.Shape))
            throw new ArgumentException($"'{stored.Name}' is {stored.Dtype} [{string.Join(", ", stored.Shape)}], and '{Tensor.Name}' is written as {Tensor.Dtype} [{string.Join(", ", Tensor.Shape)}].", nameof(stored));
        CopyFrom(stored.Reader, stored.Reader.DataStart + stored.Entry.Offset, stored.ByteLength, buffer);
    }

    internal void CopyFrom(SafetensorsReader source, long position, long length, byte[] buffer) =>
        _writer.CopyFrom(Tensor.Name, source, position, length, buffer, _cancellationToken);
}
