// Draws disjoint sets of rows: for evaluation, for pruning, for continued pretraining.
using System.Text;
using LlmShearing.Data.Compression;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Split;

/// <summary>
/// Splits the rows of domains into disjoint sets. Every set gets exactly the rows asked for, or there is an error: never one more for each file nor silently fewer.
/// The same rows, sets and seed give the same split.
/// </summary>
public static class TokenSplitter
{
    /// <summary>Splits.</summary>
    /// <param name="domains">All rows by domain; names differ.</param>
    /// <param name="sets">The sets, in the order in which they are served.</param>
    /// <param name="options">How; null = defaults.</param>
    /// <returns>Which rows are in which set.</returns>
    /// <exception cref="TokenDataException">A domain is too short, a set names an unknown domain, or the rows do not say what the unit needs to know.</exception>
    public static SplitPlan Split(IReadOnlyList<ITokenRows> domains, IReadOnlyList<SplitSet> sets, SplitOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(domains);
        ArgumentNullException.ThrowIfNull(sets);
        options ??= new SplitOptions();
        Check(domains, sets, options);
        // A set of all the rest is served last.
        SplitSet[] order = [.. sets.Where(s => s.RowsByDomain is not null), .. sets.Where(s => s.RowsByDomain is null)];
        return new SplitPlan(options.Unit, options.Seed, [.. domains.Select(d => InOrder(sets, SplitDomain(d, order, options)))]);
    }

    private static void Check(IReadOnlyList<ITokenRows> domains, IReadOnlyList<SplitSet> sets, SplitOptions options)
    {
        if (domains.Count == 0 || sets.Count == 0)
            throw new TokenDataException("There is nothing to split: give at least one domain and one set.");
        if (domains.GroupBy(d => d.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new TokenDataException($"Two domains are named '{twice.Key}'. Names of domains must differ.");
        if (sets.GroupBy(s => s.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } same)
            throw new TokenDataException($"Two sets are named '{same.Key}'. Names of sets must differ.");
        if (sets.Count(s => s.RowsByDomain is null) > 1 || sets.Any(s => s.RowsByDomain is null && s.HeldOut))
            throw new TokenDataException("Only one set can have all the rest, and it cannot be held out. Give the others numbers of rows.");
        foreach (SplitSet set in sets)
        {
            foreach ((string domain, long rows) in set.RowsByDomain ?? new Dictionary<string, long>())
            {
                if (domains.All(d => d.Name != domain))
                    throw new TokenDataException($"The set '{set.Name}' wants rows of '{domain}', which is no domain; there are: {string.Join(", ", domains.Select(d => d.Name))}.");
                if (rows < 0)
                    throw new TokenDataException($"The set '{set.Name}' wants {rows} rows of '{domain}'.");
            }
        }

        if (options.Unit == SplitUnit.Documents && options is { BosTokenId: null, EosTokenId: null })
            throw new TokenDataException("To split by documents the id that begins or ends one must be known. Give BosTokenId or EosTokenId (--tokenizer).");
    }

    private static SplitDomain SplitDomain(ITokenRows rows, SplitSet[] sets, SplitOptions options)
    {
        long wanted = sets.Sum(s => Wanted(s, rows));
        if (wanted > rows.Count)
            throw TooShort(rows, sets, $"there are {rows.Count}");
        if (rows.Count > Array.MaxLength)
            throw new TokenDataException($"'{rows.Name}' has {rows.Count} rows; at most {Array.MaxLength} can be split. Split parts of it.");
        var random = new Random(SeedFor(options.Seed, rows.Name));
        return options.Unit switch
        {
            SplitUnit.Rows => ByRows(rows, sets, random),
            SplitUnit.Files => FileSplit.Split(rows, sets, random),
            _ => DocumentSplit.Split(rows, sets, options, random),
        };
    }

    private static SplitDomain ByRows(ITokenRows rows, SplitSet[] sets, Random random)
    {
        long[] all = [.. Enumerable.Range(0, (int)rows.Count).Select(r => (long)r)];
        random.Shuffle(all);
        int next = 0;
        var result = new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);
        foreach (SplitSet set in sets)
        {
            int count = set.RowsByDomain is null ? all.Length - next : (int)Wanted(set, rows);
            result[set.Name] = Sorted(all.AsSpan(next, count));
            next += count;
        }

        return new SplitDomain(rows.Name, rows.Count, result, new Dictionary<string, IReadOnlyList<string>>());
    }

    internal static long Wanted(SplitSet set, ITokenRows rows) => set.RowsByDomain?.GetValueOrDefault(rows.Name) ?? 0;

    internal static long[] Sorted(ReadOnlySpan<long> rows)
    {
        long[] sorted = rows.ToArray();
        Array.Sort(sorted);
        return sorted;
    }

    internal static TokenDataException TooShort(ITokenRows rows, IEnumerable<SplitSet> sets, string found) =>
        new($"The domain '{rows.Name}' is too short: {string.Join(" and ", sets.Where(s => s.RowsByDomain is not null).Select(s => $"{Wanted(s, rows)} rows for '{s.Name}'"))} are wanted, {found}. Ask for fewer, or add text.");

    private static SplitDomain InOrder(IReadOnlyList<SplitSet> sets, SplitDomain domain) =>
        domain with { Sets = sets.ToDictionary(s => s.Name, s => domain.Sets[s.Name], StringComparer.Ordinal) };

    // Each domain draws for itself, so that adding one does not change the others.
    private static int SeedFor(int seed, string domain)
    {
        var hash = new XxHash64();
        hash.Append(BitConverter.GetBytes(seed));
        hash.Append(Encoding.UTF8.GetBytes(domain));
        return (int)hash.Finish();
    }
}
