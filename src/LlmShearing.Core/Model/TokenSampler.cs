// Chooses the next token from logits: greedy, or temperature with top-k and top-p. Managed arithmetic with an explicit
// generator, so that the same seed gives the same tokens. As little as possible is read from the device: one id a row when greedy, k candidates with top-k.
using LlmShearing.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Model;

internal sealed class TokenSampler(SamplingOptions options)
{
    // More candidates than asked for, so that ties for the last place are seen.
    private const int Spare = 32;

    private readonly Random _random = new(options.Seed);

    private bool IsGreedy => options.Temperature == 0 || options.TopK == 1;

    /// <summary>The next id of every row.</summary>
    /// <param name="logits">[B, V], float32, on any device.</param>
    /// <param name="ended">Rows that get no token any more [B].</param>
    /// <returns>Ids; -1 where the row has ended.</returns>
    public int[] Next(Tensor logits, bool[] ended)
    {
        using var scope = NewDisposeScope();
        int rows = (int)logits.shape[0], vocabulary = (int)logits.shape[1], read = (int)Math.Min(vocabulary, (long)options.TopK + Spare);
        if (IsGreedy)
        {
            long[] best = HostValues.Longs(logits.argmax(-1));
            return [.. best.Select((id, r) => ended[r] ? -1 : (int)id)];
        }

        if (options.TopK == 0 || read == vocabulary)
        {
            float[] all = HostValues.Floats(logits);
            return [.. ended.Select((e, r) => e ? -1 : Next(all[(r * vocabulary)..((r + 1) * vocabulary)]))];
        }

        (Tensor values, Tensor indexes) = logits.topk(read, -1);                                     // [B, read], largest first
        float[] likely = HostValues.Floats(values);
        int[] ids = [.. HostValues.Longs(indexes).Select(i => (int)i)];
        int[] next = new int[rows];
        for (int r = 0; r < rows; r++)
        {
            Range row = (r * read)..((r + 1) * read);
            next[r] = ended[r] ? -1
                : likely[(r * read) + options.TopK - 1] == likely[((r + 1) * read) - 1] ? Next(HostValues.Floats(logits.narrow(0, r, 1)))
                : Choose(ids[row], likely[row]);
        }

        return next;
    }

    /// <summary>The next id of one row.</summary>
    /// <param name="logits">All logits [V].</param>
    public int Next(float[] logits)
    {
        if (!IsGreedy)
            return Choose([.. Enumerable.Range(0, logits.Length)], logits);
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        return best;
    }

    // Among candidates that hold the k most likely ones, in any order.
    private int Choose(int[] ids, float[] logits)
    {
        // Most likely first; ties to the lower id.
        int[] order = [.. Enumerable.Range(0, ids.Length)];
        Array.Sort(order, (a, b) => logits[a] != logits[b] ? logits[b].CompareTo(logits[a]) : ids[a].CompareTo(ids[b]));
        int count = options.TopK == 0 ? order.Length : Math.Min(options.TopK, order.Length);
        double[] probabilities = new double[count];
        double total = 0;
        for (int i = 0; i < count; i++)
            total += probabilities[i] = Math.Exp((logits[order[i]] - logits[order[0]]) / options.Temperature);
        if (options.TopP < 1)
        {
            double reached = 0;
            int kept = 0;
            while (kept < count && reached < options.TopP * total)
                reached += probabilities[kept++];
            (count, total) = (Math.Max(kept, 1), reached);
        }

        double draw = _random.NextDouble() * total;
        for (int i = 0; i < count; i++)
        {
            draw -= probabilities[i];
            if (draw < 0)
                return ids[order[i]];
        }

        return ids[order[count - 1]];
    }
}
