// Domains in fixed shares, spread as evenly as possible: after any number of samples every count is close to its due.
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Domains;

/// <summary>
/// Always the same proportions. Not random draws but a smooth rota: the domain that is furthest behind its share comes next, so counts stay within a few samples of
/// their due at any time. The seed shifts the phases. The state is one count for each domain.
/// </summary>
public sealed class FixedDomainSampler : IDomainSampler
{
    /// <summary>Name under which the sampler is registered.</summary>
    public const string Name = "fixed";

    private readonly string[] _domains;
    private readonly double[] _proportions;
    private readonly double[] _phases;
    private readonly int _seed;
    private long[] _counts;
    private long _total;

    /// <summary>Creates the sampler at its start.</summary>
    /// <param name="options">Domains and shares. Copied.</param>
    /// <exception cref="TokenDataException">The options are not valid; the message names the domain or the sum.</exception>
    public FixedDomainSampler(FixedDomainSamplerOptions options)
    {
        (_domains, _proportions) = SamplerChecks.Shares(options);
        _seed = options.Seed;
        _phases = [.. _domains.Select((_, i) => Phase(_seed, i))];
        _counts = new long[_domains.Length];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Domains => _domains;

    /// <inheritdoc/>
    public IReadOnlyList<double> Proportions => _proportions;

    /// <inheritdoc/>
    public bool Adapts => false;

    /// <inheritdoc/>
    public int NextDomain()
    {
        // Due is computed from counts each time: running credits would drift over billions of samples.
        int next = -1;
        double furthest = double.NegativeInfinity;
        for (int i = 0; i < _counts.Length; i++)
        {
            double behind = ((_total + 1) * _proportions[i]) - _counts[i] + _phases[i];
            if (_proportions[i] > 0 && behind > furthest)
                (next, furthest) = (i, behind);
        }

        _counts[next]++;
        _total++;
        return next;
    }

    /// <inheritdoc/>
    public void Update(IReadOnlyList<double> losses) => SamplerChecks.Losses(losses, _domains);

    /// <inheritdoc/>
    public JsonObject Save() => new()
    {
        ["sampler"] = Name,
        ["seed"] = _seed,
        ["domains"] = new JsonArray([.. _domains.Select(d => JsonValue.Create(d))]),
        ["proportions"] = new JsonArray([.. _proportions.Select(p => JsonValue.Create(p))]),
        ["counts"] = new JsonArray([.. _counts.Select(c => JsonValue.Create(c))]),
    };

    /// <inheritdoc/>
    public void Restore(JsonObject state)
    {
        ArgumentNullException.ThrowIfNull(state);
        // Counts owed under other shares would be paid back in one long run of a single domain.
        SamplerChecks.Same(state, Save(), "sampler", "seed", "domains", "proportions");
        if (state["counts"] is not JsonArray array || array.Count != _domains.Length)
            throw new TokenDataException($"The saved sampler state has counts {SamplerChecks.Text(state["counts"])}; expected {_domains.Length} numbers.");
        long[] counts = new long[array.Count];
        for (int i = 0; i < counts.Length; i++)
            if (array[i] is not JsonValue value || !value.TryGetValue(out counts[i]) || counts[i] < 0 || (counts[i] > 0 && _proportions[i] == 0))
                throw new TokenDataException($"The saved sampler state has count {SamplerChecks.Text(array[i])} for domain '{_domains[i]}'; expected a number of samples.");
        long total = 0;
        foreach (long count in counts)
            total = count <= (1L << 52) - total ? total + count : throw new TokenDataException("The saved sampler state counts more samples than any training run has.");
        (_counts, _total) = (counts, total);
    }

    // SplitMix64: a phase in [-0.5, 0.5) for each domain.
    private static double Phase(int seed, int domain)
    {
        ulong z = ((ulong)(uint)seed << 32) + ((ulong)domain * 0x9E3779B97F4A7C15UL) + 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53)) - 0.5;
    }
}
