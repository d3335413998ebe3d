// The loss of every single-block removal in one pass over the weights. Before block k there are k + 1 streams: one for each
// removal of an earlier block, and the intact one. All of them go through block k; what entered it intact is at the same time the
// new stream that skips it. So L(L+1)/2 block passes instead of L(L-1), in large matrix products, each weight read once.
using LlmShearing.Devices;
using LlmShearing.Execution;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>Mean losses without each of the <paramref name="blocks"/> (ascending); blocks of the model that are not listed are left out of all streams.</summary>
internal sealed class Staircase(ILlamaSource source, int[] blocks, long activationBytes, long stateBytes)
{
    private const string Stage = "Perplexity without each block";
    private const int LossTokens = 2048;
    private readonly double[] _losses = new double[blocks.Length];
    private long _tokens;

    /// <summary>Runs the calibration data.</summary>
    /// <returns>Mean negative log-likelihood in nats, one for each of the blocks; NaN where a removal breaks the model.</returns>
    /// <exception cref="ScoringException">The model gives values that are not finite although nothing is removed.</exception>
    public double[] Run(IReadOnlyList<TokenBatch> batches, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        long tokens = Math.Max(1, stateBytes / Math.Max(1, blocks.Length * ActivationBudget.StateBytes(source)));
        List<List<CalibrationRows>> waves = StatePass.Waves(CalibrationRows.Group(batches, tokens), tokens);
        var steps = new Steps(progress, (long)waves.Count * (blocks.Length + 1));
        using var noGrad = no_grad();
        foreach (List<CalibrationRows> wave in waves)
            RunWave(wave, steps, cancellationToken);
        return [.. _losses.Select(l => l / _tokens)];
    }

    private void RunWave(List<CalibrationRows> wave, Steps steps, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        StaircaseStreams[] groups = [.. wave.Select(rows => new StaircaseStreams(source, rows, blocks.Length, activationBytes))];
        for (int k = 0; k < blocks.Length; k++)
        {
            using BlockLease lease = source.AcquireBlock(blocks[k]);
            foreach (StaircaseStreams streams in groups)
                streams.Climb(lease.Block, k, cancellationToken);
            steps.Next();
        }

        foreach (StaircaseStreams streams in groups)
            AddLosses(streams, cancellationToken);
        steps.Next();
    }

    private void AddLosses(StaircaseStreams streams, CancellationToken cancellationToken)
    {
        CalibrationRows rows = streams.Rows;
        int atOnce = Math.Max(1, LossTokens / rows.Length);
        for (int first = 0; first < rows.Rows; first += atOnce)
        {
            int count = Math.Min(atOnce, rows.Rows - first);
            (long[] positions, long[] targets) = rows.Scored(first, count);
            _tokens += positions.Length;
            if (positions.Length == 0)
                continue;
            int together = Math.Max(1, atOnce / count);
            for (int slot = 0; slot < blocks.Length; slot += together)
            {
                cancellationToken.ThrowIfCancellationRequested();
                AddLosses(streams, slot, Math.Min(together, blocks.Length - slot), first, count, positions, targets);
            }
        }
    }

    // Some streams of some rows. Streams follow each other in the state, so whole groups of rows are neighbours across streams.
    private void AddLosses(StaircaseStreams streams, int slot, int slots, int first, int count, long[] positions, long[] targets)
    {
        using var scope = NewDisposeScope();
        long tokens = (long)count * streams.Rows.Length;
        long[] all = [.. Enumerable.Range(0, slots).SelectMany(s => positions.Select(p => (s * tokens) + p))];
        Tensor states = streams.Slice(slot, slots, first, count)
            .index_select(0, tensor(all, device: source.Device));                                        // [slots * n, H]
        Tensor ids = tensor(targets, device: source.Device).repeat(slots);                               // [slots * n]
        float[] losses = HostValues.Floats(TokenLosses.Compute(source, source.FinalNorm(states), ids));
        for (int i = 0; i < losses.Length; i++)
            _losses[slot + (i / targets.Length)] += losses[i];
    }

    private sealed class Steps(IProgress<ShearingProgress>? progress, long total)
    {
        private long _done;

        public void Next() => progress?.Report(new ShearingProgress(Stage, ++_done, total, "blocks"));
    }
}
