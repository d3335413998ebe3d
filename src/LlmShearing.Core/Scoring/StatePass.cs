// One forward pass over calibration data, block by block, that shows the hidden states before and after every block.
using LlmShearing.Devices;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>Called for every block and group of rows, inside a dispose scope of its own. States are [R, T, H].</summary>
internal delegate void StateObserver(int layer, CalibrationRows rows, Tensor before, Tensor after);

internal static class StatePass
{
    /// <summary>Runs the pass without gradients. Every weight is read once per <paramref name="stateBytes"/> of hidden states.</summary>
    /// <exception cref="ScoringException">A block gives values that are not finite.</exception>
    public static void Run(ILlamaSource source, IReadOnlyList<TokenBatch> batches, bool countPadding, long activationBytes, long stateBytes, string stage, StateObserver observe, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        int layers = source.Config.Shape.Layers.Length;
        int longest = batches.Max(b => b.SequenceLength);
        long together = (long)ActivationBudget.RowsAtOnce(source, longest, activationBytes) * longest;
        List<CalibrationRows> groups = CalibrationRows.Group(batches, together, countPadding);
        List<List<CalibrationRows>> waves = Waves(groups, stateBytes / ActivationBudget.StateBytes(source));
        using var noGrad = no_grad();
        for (int wave = 0; wave < waves.Count; wave++)
        {
            using var scope = NewDisposeScope();
            Tensor[] states = [.. waves[wave].Select(g => source.Embed(g.Ids(source.Device)))];          // [R, T, H] each
            LlamaPass[] passes = [.. waves[wave].Select(g => g.Begin(source, 0, g.Rows))];
            for (int layer = 0; layer < layers; layer++)
            {
                using BlockLease lease = source.AcquireBlock(layer);
                for (int g = 0; g < states.Length; g++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    using var inner = NewDisposeScope();
                    Tensor after = lease.Block.forward(states[g], passes[g]);                            // [R, T, H]
                    EnsureFinite(after, layer, source.Name);
                    observe(layer, waves[wave][g], states[g], after);
                    states[g].Dispose();
                    states[g] = after.MoveToOuterDisposeScope();
                }

                progress?.Report(new ShearingProgress(stage, ((long)wave * layers) + layer + 1, (long)waves.Count * layers, "blocks"));
            }
        }
    }

    /// <summary>Packs groups into waves of at most <paramref name="tokens"/> tokens, at least one group each.</summary>
    public static List<List<CalibrationRows>> Waves(IEnumerable<CalibrationRows> groups, long tokens)
    {
        var waves = new List<List<CalibrationRows>>();
        long used = 0;
        foreach (CalibrationRows group in groups)
        {
            if (waves.Count == 0 || used + group.Tokens > tokens)
            {
                waves.Add([]);
                used = 0;
            }

            waves[^1].Add(group);
            used += group.Tokens;
        }

        return waves;
    }

    /// <summary>Refuses states that are not finite, naming the block.</summary>
    public static void EnsureFinite(Tensor states, int layer, string model)
    {
        if (!HostValues.IsTrue(states.isfinite().all()))
            throw new ScoringException($"Block {layer} of '{model}' gives values that are not finite on the calibration data. Check its weights, or use a wider type than {states.dtype}.");
    }
}
