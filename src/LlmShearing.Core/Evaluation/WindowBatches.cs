// Which windows go through the model together.
namespace LlmShearing.Evaluation;

/// <summary>Windows of similar length, padded on the right to the longest.</summary>
/// <param name="Windows">Indices of the windows.</param>
/// <param name="Length">Tokens a row.</param>
internal sealed record WindowBatch(int[] Windows, int Length)
{
    public long Tokens => (long)Windows.Length * Length;

    /// <summary>Batches by descending length, so that padding is small and the largest batch, the one that may not fit, comes first.</summary>
    /// <param name="windows">All windows.</param>
    /// <param name="tokens">Tokens a batch, padding included; one window may exceed it.</param>
    /// <param name="equalLengths">Whether only windows of one length may share a batch.</param>
    public static List<WindowBatch> Plan(IReadOnlyList<PerplexityWindow> windows, int tokens, bool equalLengths)
    {
        int[] order = [.. Enumerable.Range(0, windows.Count).OrderByDescending(w => windows[w].Ids.Length)];
        var batches = new List<WindowBatch>();
        for (int start = 0; start < order.Length;)
        {
            int length = windows[order[start]].Ids.Length, end = start + 1;
            while (end < order.Length && (long)(end - start + 1) * length <= tokens
                && (!equalLengths || windows[order[end]].Ids.Length == length))
                end++;
            batches.Add(new WindowBatch(order[start..end], length));
            start = end;
        }

        return batches;
    }

    /// <summary>Consecutive batches that hold at most <paramref name="tokens"/> tokens; always at least one.</summary>
    public static IEnumerable<WindowBatch[]> Group(List<WindowBatch> batches, long tokens)
    {
        for (int start = 0; start < batches.Count;)
        {
            long sum = batches[start].Tokens;
            int end = start + 1;
            while (end < batches.Count && sum + batches[end].Tokens <= tokens)
                sum += batches[end++].Tokens;
            yield return [.. batches[start..end]];
            start = end;
        }
    }

    /// <summary>Ids [windows, Length], padded with id 0. Under causal attention no real token sees the padding behind it, so no mask is needed.</summary>
    public long[] PaddedIds(IReadOnlyList<PerplexityWindow> windows)
    {
        var ids = new long[Tokens];
        for (int b = 0; b < Windows.Length; b++)
        {
            int[] row = windows[Windows[b]].Ids;
            for (int t = 0; t < row.Length; t++)
                ids[((long)b * Length) + t] = row[t];
        }

        return ids;
    }

    /// <summary>Flat positions whose state predicts a scored token, and those tokens, window after window.</summary>
    public (long[] Positions, long[] Targets) Scored(IReadOnlyList<PerplexityWindow> windows)
    {
        var positions = new List<long>();
        var targets = new List<long>();
        for (int b = 0; b < Windows.Length; b++)
        {
            PerplexityWindow window = windows[Windows[b]];
            for (int t = window.FirstScored; t < window.Ids.Length; t++)
            {
                positions.Add(((long)b * Length) + t - 1);
                targets.Add(window.Ids[t]);
            }
        }

        return ([.. positions], [.. targets]);
    }
}
