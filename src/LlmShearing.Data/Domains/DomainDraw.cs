namespace LlmShearing.Data.Domains;

/// <summary>One random choice of a domain.</summary>
internal static class DomainDraw
{
    /// <summary>The number of cumulative shares that are at or below <paramref name="uniform"/> times their sum; a domain with share 0 is never chosen.</summary>
    /// <param name="proportions">Shares, each 0 or more, not all 0.</param>
    /// <param name="uniform">In [0, 1).</param>
    /// <returns>Index of the domain.</returns>
    public static int Choose(IReadOnlyList<double> proportions, double uniform)
    {
        double sum = proportions.Sum(), cumulative = 0;
        int last = 0;
        for (int i = 0; i < proportions.Count; i++)
        {
            if (proportions[i] <= 0)
                continue;
            cumulative += proportions[i];
            last = i;
            if (cumulative / sum > uniform)
                return i;
        }

        return last;   // rounding left the whole a little below 1
    }
}
