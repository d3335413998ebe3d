using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Split;

/// <summary>One of the sets that rows are split into.</summary>
/// <param name="Name">Its name, such as <c>held-out</c>, <c>prune</c>, <c>continue</c>; becomes the name of a folder.</param>
/// <param name="RowsByDomain">Rows of each domain; null = everything that the other sets leave (at most one such set).</param>
/// <param name="HeldOut">Whether it is for evaluation: under <see cref="SplitUnit.Files"/> its files are in no other set. Sets for training may share files, never rows.</param>
public sealed record SplitSet(string Name, IReadOnlyDictionary<string, long>? RowsByDomain, bool HeldOut = false)
{
    /// <summary>The same number of rows of every domain.</summary>
    /// <param name="name">Name of the set.</param>
    /// <param name="domains">The domains.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="heldOut">Whether it is for evaluation.</param>
    /// <returns>The set.</returns>
    public static SplitSet Each(string name, IEnumerable<ITokenRows> domains, long rows, bool heldOut = false) =>
        new(name, domains.ToDictionary(d => d.Name, _ => rows, StringComparer.Ordinal), heldOut);

    /// <summary>A total, shared out in proportions. Domains get whole rows that add up to the total exactly: each its share rounded down, then one more for the largest remainders.</summary>
    /// <param name="name">Name of the set.</param>
    /// <param name="proportions">Share of each domain, 0 or more; scaled to 1 together.</param>
    /// <param name="total">Rows in all.</param>
    /// <param name="heldOut">Whether it is for evaluation.</param>
    /// <returns>The set.</returns>
    /// <exception cref="TokenDataException">A share is negative or all are 0.</exception>
    public static SplitSet Shared(string name, IReadOnlyDictionary<string, double> proportions, long total, bool heldOut = false)
    {
        ArgumentNullException.ThrowIfNull(proportions);
        ArgumentOutOfRangeException.ThrowIfNegative(total);
        double sum = proportions.Values.Sum();
        if (proportions.Any(p => !double.IsFinite(p.Value) || p.Value < 0) || !(sum > 0))
            throw new TokenDataException($"The proportions of the set '{name}' are {string.Join(", ", proportions.Select(p => $"{p.Key} {p.Value}"))}; each must be 0 or more, and not all 0.");
        var rows = proportions.ToDictionary(p => p.Key, p => (long)(total * (p.Value / sum)), StringComparer.Ordinal);
        foreach (string domain in proportions.OrderByDescending(p => (total * (p.Value / sum)) - rows[p.Key]).ThenBy(p => p.Key, StringComparer.Ordinal).Select(p => p.Key).Take((int)(total - rows.Values.Sum())))
            rows[domain]++;
        return new SplitSet(name, rows, heldOut);
    }
}
