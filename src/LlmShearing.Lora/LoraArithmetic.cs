// W' = W + s · B A, in tiles of rows. Memory and out-of-core merging both come here with the same tiles, so that they agree bit for bit.
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal static class LoraArithmetic
{
    private const long TileElements = 4 << 20;

    /// <summary>Rows of a tile.</summary>
    public static long TileRows(long columns) => Math.Max(1, TileElements / columns);

    /// <summary>The rows of a weight and what they become, tile by tile; each pair is freed when the next is asked for.</summary>
    public static IEnumerable<(Tensor Rows, Tensor Merged)> Merge(LoraTap tap, bool safe)
    {
        long rows = tap.Projection.OutFeatures, step = TileRows(tap.Projection.InFeatures);
        for (long start = 0; start < rows; start += step)
        {
            long n = Math.Min(step, rows - start);
            using Tensor tile = tap.Projection.weight.narrow(0, start, n);                // [n, in]
            using Tensor factor = tap.B.narrow(0, start, n);                              // [n, r]
            using Tensor merged = Merge(tile, tap.A, factor, tap.Target.Scale, safe);     // [n, in]
            yield return (tile, merged);
        }
    }

    /// <summary>Some rows of a merged weight, in the weight's type. The caller disposes the result.</summary>
    /// <param name="rows">Rows of the weight [n, in].</param>
    /// <param name="a">A [r, in], float32.</param>
    /// <param name="b">The same rows of B [n, r], float32.</param>
    /// <param name="scale">s.</param>
    /// <param name="safe">Whether the update is rounded to the weight's type before it is added.</param>
    public static Tensor Merge(Tensor rows, Tensor a, Tensor b, double scale, bool safe)
    {
        using var scope = NewDisposeScope();
        Tensor update = b.mm(a);                                                      // [n, in]
        update.mul_(scale);
        Tensor merged = safe ? rows + update.to(rows.dtype) : rows + update;              // the sum of 16 and 32 bits is made in 32
        return merged.to(rows.dtype).DetachFromDisposeScope();
    }

    public static void EnsureFinite(Tensor values, string name)
    {
        using var scope = NewDisposeScope();
        if (!HostValues.IsTrue(values.isfinite().all()))
            throw new LoraException($"Merging would give '{name}' a value that is not finite. Nothing was changed. The adapter diverged, or its base is stored in too small a type.");
    }
}
