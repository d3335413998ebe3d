// Chooses the next token from logits: greedy, or temperature with top-k and top-p. Managed arithmetic with an explicit
// generator, so that the same seed gives the same tokens.
namespace LlmShearing;

internal sealed class TokenSampler(SamplingOptions options)
{
    private readonly Random _random = new(options.Seed);

    public int Next(float[] logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        if (options.Temperature == 0 || options.TopK == 1)
            return best;

        // Most likely first; ties to the lower id.
        int[] order = [.. Enumerable.Range(0, logits.Length)];
        Array.Sort(order, (a, b) => logits[a] != logits[b] ? logits[b].CompareTo(logits[a]) : a.CompareTo(b));
        int count = options.TopK == 0 ? order.Length : Math.Min(options.TopK, order.Length);
        double[] probabilities = new double[count];
        double total = 0;
        for (int i = 0; i < count; i++)
            total += probabilities[i] = Math.Exp((logits[order[i]] - logits[best]) / options.Temperature);
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
                return order[i];
        }

        return order[count - 1];
    }
}
