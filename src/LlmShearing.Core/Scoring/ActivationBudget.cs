// How many rows go through a block at once, and how many are held, for a given number of bytes.
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

internal static class ActivationBudget
{
    /// <summary>Default for temporaries of one block: small enough to stay near the caches, large enough for full matrix products.</summary>
    public const long DefaultActivationBytes = 64L << 20;

    /// <summary>Default for hidden states kept between blocks.</summary>
    public const long DefaultStateBytes = 1L << 30;

    /// <summary>Rows of <paramref name="length"/> tokens whose temporaries inside the largest block fit; at least 1.</summary>
    public static int RowsAtOnce(ILlamaSource source, int length, long bytes)
    {
        LlamaShape shape = source.Config.Shape;
        long heads = shape.Layers.Max(l => l.QueryHeads), wide = shape.Layers.Max(l => l.IntermediateSize);
        long perToken = ((6L * shape.HiddenSize) + (2 * wide) + (8 * heads * shape.HeadDim)) * ElementSize(source.Dtype);
        long perRow = (length * perToken) + (3 * 4 * heads * length * length);
        return (int)Math.Clamp(bytes / Math.Max(1, perRow), 1, int.MaxValue);
    }

    /// <summary>Bytes of one hidden state [H].</summary>
    public static long StateBytes(ILlamaSource source) => (long)source.Config.Shape.HiddenSize * ElementSize(source.Dtype);

    private static int ElementSize(ScalarType dtype) => dtype switch
    {
        ScalarType.Float16 or ScalarType.BFloat16 => 2,
        ScalarType.Float64 => 8,
        _ => 4,
    };
}
