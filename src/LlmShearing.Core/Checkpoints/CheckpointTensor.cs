using System.Collections.Immutable;

namespace LlmShearing.Checkpoints;

/// <summary>A tensor of a checkpoint folder.</summary>
/// <param name="Name">Hugging Face name.</param>
/// <param name="Dtype">Element type as stored: F64, F32, F16 or BF16.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="ByteLength">Stored bytes.</param>
/// <param name="File">File name of the shard, without folder.</param>
public sealed record CheckpointTensor(string Name, SafetensorsDtype Dtype, ImmutableArray<long> Shape, long ByteLength, string File)
{
    internal SafetensorsReader Reader { get; init; } = null!;

    internal SafetensorsEntry Entry { get; init; } = null!;

    /// <summary>Number of elements.</summary>
    public long ElementCount => Entry.ElementCount;

    /// <summary>Bytes of one element.</summary>
    public int ElementSize => Dtype.Bits() / 8;
}
