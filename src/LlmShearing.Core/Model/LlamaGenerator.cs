// Token generation with a key/value cache. Plain data is handed out between steps: no scope or no_grad is open while the
// consumer runs.
using LlmShearing.Devices;
using LlmShearing.Telemetry;
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>Generates continuations of token ids.</summary>
/// <remarks>Any number of threads may generate with one model at once; each enumeration is for one thread.</remarks>
public static class LlamaGenerator
{
    /// <summary>Generates row by row results, step by step.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Prompts, padded on the left where they differ in length (see <see cref="LeftPad"/>).</param>
    /// <param name="options">Sampling; null = greedy, 64 tokens.</param>
    /// <param name="cancellationToken">Checked before every step.</param>
    /// <returns>One step at a time: the new id of every row, -1 for rows that have ended. Ends when all rows have ended.</returns>
    /// <exception cref="TokenDataException">A prompt id is outside the vocabulary.</exception>
    public static IEnumerable<GenerationStep> Generate(LlamaModel model, TokenBatch prompts, SamplingOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        ArgumentNullException.ThrowIfNull(prompts);
        options ??= new SamplingOptions();
        options.Validate();
        TokenIds.EnsureInVocabulary(prompts, model.Config);
        if (options.Logger is { } logger && TrainedLength.Problem(model.Config, (long)prompts.SequenceLength + options.MaxNewTokens, "Prompt and new tokens") is { } problem)
            CoreLog.BeyondTrainedLength(logger, problem);
        return Steps(model, prompts, options, cancellationToken);
    }

    /// <summary>Pads prompts on the left to the longest.</summary>
    /// <param name="prompts">Token ids by row; none empty.</param>
    /// <param name="padId">Id written into padding; default 0.</param>
    /// <returns>A batch with a mask where needed.</returns>
    public static TokenBatch LeftPad(IReadOnlyList<int[]> prompts, int padId = 0)
    {
        TokenBatch right = TokenBatch.FromRows([.. prompts.Select(p => p.Reverse().ToArray())], padId);
        int[] ids = right.Ids.ToArray();
        bool[] mask = right.AttentionMask.ToArray();
        for (int r = 0; r < right.BatchSize; r++)
        {
            ids.AsSpan(r * right.SequenceLength, right.SequenceLength).Reverse();
            if (mask.Length > 0)
                mask.AsSpan(r * right.SequenceLength, right.SequenceLength).Reverse();
        }

        return new TokenBatch(right.BatchSize, right.SequenceLength, ids, mask.Length > 0 ? mask : null);
    }

    private static IEnumerable<GenerationStep> Steps(LlamaModel model, TokenBatch prompts, SamplingOptions options, CancellationToken cancellationToken)
    {
        IReadOnlyCollection<int> stops = options.StopIds ?? model.Config.EosTokenIds;
        using var cache = new KeyValueCache(model.Config.Shape.Layers.Length);
        var sampler = new TokenSampler(options);
        int rows = prompts.BatchSize;
        int[] input = prompts.Ids.ToArray();
        bool[] mask = prompts.HasPadding ? prompts.AttentionMask.ToArray() : [.. Enumerable.Repeat(true, input.Length)];
        long[] positions = Positions(mask, rows);
        bool[] ended = new bool[rows];
        HashSet<int>[]? seen = options.RepetitionPenalty == 1 ? null : Seen(prompts, mask);
        for (int step = 0; step < options.MaxNewTokens; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (int[] next, float[][] logits) = Step(model, input, ended, sampler, options, seen, new ForwardOptions
            {
                AttentionMask = prompts.HasPadding ? mask : null,
                Positions = positions,
                Cache = cache,
            });
            for (int r = 0; r < rows; r++)
            {
                ended[r] = ended[r] || stops.Contains(next[r]);
                if (next[r] >= 0)
                    seen?[r].Add(next[r]);
            }

            yield return new GenerationStep(next, logits);
            if (ended.All(e => e))
                yield break;
            int width = positions.Length / rows;
            positions = [.. Enumerable.Range(0, rows).Select(r => positions[(r * width) + width - 1] + 1)];
            input = [.. next.Select(id => Math.Max(id, 0))];
            mask = [.. Enumerable.Repeat(true, rows)];
        }
    }

    // The next id of every row, -1 for rows that have ended; and all logits where they are wanted.
    private static (int[] Next, float[][] Logits) Step(LlamaModel model, int[] ids, bool[] ended, TokenSampler sampler, SamplingOptions sampling, HashSet<int>[]? seen, ForwardOptions options)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        int rows = ended.Length;
        Tensor input = tensor(ids.Select(i => (long)i).ToArray(), rows, ids.Length / rows, device: model.Device);   // [B, T]
        Tensor hidden = model.Hidden(input, options);                                                               // [B, T, H]
        Tensor last = hidden.narrow(1, hidden.shape[1] - 1, 1).squeeze(1);                                          // [B, H]
        Tensor logits = model.Logits(last).to(ScalarType.Float32);                                                  // [B, V]
        if (seen is not null)
            Weaken(logits, seen, sampling.RepetitionPenalty);
        if (!sampling.KeepLogits)
            return (sampler.Next(logits, ended), []);
        float[] all = HostValues.Floats(logits);
        int v = model.Config.Shape.VocabSize;
        float[][] kept = [.. Enumerable.Range(0, rows).Select(r => all[(r * v)..((r + 1) * v)])];
        return ([.. kept.Select((row, r) => ended[r] ? -1 : sampler.Next(row))], kept);
    }

    // The ids of every row, padding left out.
    private static HashSet<int>[] Seen(TokenBatch prompts, bool[] mask)
    {
        int width = prompts.SequenceLength;
        int[] ids = prompts.Ids.ToArray();
        return [.. Enumerable.Range(0, prompts.BatchSize).Select(r => Enumerable.Range(r * width, width).Where(i => mask[i]).Select(i => ids[i]).ToHashSet())];
    }

    // In place: logits [B, V] of the ids that each row has already are made smaller (Keskar et al., "CTRL").
    private static void Weaken(Tensor logits, HashSet<int>[] seen, double penalty)
    {
        for (int r = 0; r < seen.Length; r++)
        {
            Tensor index = tensor(seen[r].Select(i => (long)i).ToArray(), device: logits.device);                   // [n]
            Tensor row = logits[r];                                                                                 // [V], a view
            Tensor values = row.index_select(0, index);
            row.index_copy_(0, index, where(values > 0, values / penalty, values * penalty));
        }
    }

    // cumsum(mask) - 1, and 0 in padding.
    private static long[] Positions(bool[] mask, int rows)
    {
        long[] positions = new long[mask.Length];
        int width = mask.Length / rows;
        for (int r = 0; r < rows; r++)
        {
            long next = 0;
            for (int t = 0; t < width; t++)
                positions[(r * width) + t] = mask[(r * width) + t] ? next++ : 0;
        }

        return positions;
    }
}

/// <summary>One step of generation.</summary>
/// <param name="Ids">New id of every row; -1 for rows that have ended.</param>
/// <param name="Logits">Logits of every row [V] that the ids were chosen from; empty without <see cref="SamplingOptions.KeepLogits"/>.</param>
public sealed record GenerationStep(int[] Ids, float[][] Logits);
