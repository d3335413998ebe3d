using LlmShearing.Data.Domains;

namespace LlmShearing.Data.Batches;

/// <summary>What must hold before rows of several domains are mixed.</summary>
internal static class DomainChecks
{
    private const double ShareTolerance = 1e-6;

    public static void Options(DomainBatchesOptions options)
    {
        if (options.BatchSize < 1)
            throw new TokenDataException($"BatchSize is {options.BatchSize}; a micro-batch needs at least 1 row.");
        if (options.SequenceLength is < 2)
            throw new TokenDataException($"SequenceLength is {options.SequenceLength}; a row needs at least 2 tokens, one to predict the other.");
        if (options.VocabularySize is < 1)
            throw new TokenDataException($"VocabularySize is {options.VocabularySize}; it must be at least 1.");
        if (!Enum.IsDefined(options.Exhaustion))
            throw new TokenDataException($"Exhaustion is {(int)options.Exhaustion}; use one of {string.Join(", ", Enum.GetNames<ExhaustionPolicy>())}.");
    }

    /// <summary>The domains in the sampler's order.</summary>
    public static TokenDomain[] Match(IReadOnlyList<TokenDomain> domains, IReadOnlyList<string> order)
    {
        if (domains.Count == 0)
            throw new TokenDataException("There is no domain. Give at least one with rows.");
        var byName = new Dictionary<string, TokenDomain>(StringComparer.Ordinal);
        foreach (TokenDomain domain in domains)
        {
            if (domain is null || string.IsNullOrWhiteSpace(domain.Name) || domain.Rows is null)
                throw new TokenDataException("A domain has no name or no rows. Give both.");
            if (!byName.TryAdd(domain.Name, domain))
                throw new TokenDataException($"Two domains are called '{domain.Name}'. Give each a name of its own, or join their rows.");
            if (domain.Rows.Count == 0)
                throw new TokenDataException($"Domain '{domain.Name}' ({domain.Rows.Name}) has no rows. Remove it or prepare data for it.");
        }

        if (order.FirstOrDefault(n => !byName.ContainsKey(n)) is string missing)
            throw new TokenDataException($"The sampler knows domain '{missing}', but there are no rows for it. Given: {string.Join(", ", byName.Keys)}.");
        if (byName.Keys.FirstOrDefault(n => !order.Contains(n)) is string unknown)
            throw new TokenDataException($"There are rows for domain '{unknown}', which the sampler does not know. It knows: {string.Join(", ", order)}.");
        return [.. order.Select(n => byName[n])];
    }

    /// <summary>Refuses a sampler whose proportions are not shares of 1.</summary>
    public static void Proportions(IDomainSampler sampler)
    {
        IReadOnlyList<double> shares = sampler.Proportions;
        if (shares.Count != sampler.Domains.Count)
            throw new TokenDataException($"The sampler has {shares.Count} proportions for {sampler.Domains.Count} domains ({string.Join(", ", sampler.Domains)}).");
        for (int i = 0; i < shares.Count; i++)
            if (!double.IsFinite(shares[i]) || shares[i] < 0)
                throw new TokenDataException($"The sampler's proportion of domain '{sampler.Domains[i]}' is {shares[i]}; it must be 0 or more.");
        if (Math.Abs(shares.Sum() - 1) > ShareTolerance)
            throw new TokenDataException($"The sampler's proportions of {string.Join(", ", sampler.Domains)} add up to {shares.Sum()}; they must add up to 1.");
    }

    /// <summary>The length of all rows. Ragged rows (length 0) are checked one by one as they are read.</summary>
    public static int SequenceLength(TokenDomain[] domains, DomainBatchesOptions options)
    {
        TokenDomain first = domains[0];
        int length = options.SequenceLength ?? first.Rows.RowLength;
        if (length < 2)
            throw new TokenDataException(first.Rows.RowLength == 0
                ? $"The rows of domain '{first.Name}' ({first.Rows.Name}) have different lengths. Give SequenceLength, and let longer rows be cut if there are any."
                : $"The rows of domain '{first.Name}' ({first.Rows.Name}) have {length} tokens; training needs at least 2.");
        foreach (TokenDomain domain in domains)
        {
            int rows = domain.Rows.RowLength;
            if (rows != 0 && (rows < length || (rows > length && !options.CutRows)))
                throw new TokenDataException($"The rows of domain '{domain.Name}' ({domain.Rows.Name}) have {rows} tokens, expected {length}. Prepare all domains with that length{(rows > length ? ", or let longer rows be cut" : "")}.");
        }

        return length;
    }
}
