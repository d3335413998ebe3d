namespace LlmShearing.Data.Domains;

/// <summary>Domains and their fixed shares.</summary>
public sealed class FixedDomainSamplerOptions
{
    /// <summary>How far the shares may be from 1 together before they are taken for a mistake; below that they are scaled to 1.</summary>
    public const double SumTolerance = 1e-3;

    /// <summary>Share of each domain, by name; each 0 or more, together 1. The sampler orders domains by name (ordinal), since a configuration has no order.</summary>
    /// <value>Default: empty; at least one domain must be given.</value>
    public IDictionary<string, double> Proportions { get; set; } = new Dictionary<string, double>(StringComparer.Ordinal);

    /// <summary>Decides the order in which domains take turns, not how often they do.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; set; }

    /// <summary>What is wrong with these options, in words; null when nothing is.</summary>
    internal string? Problem()
    {
        if (Proportions is not { Count: > 0 })
            return "Proportions names no domain. Give at least one, for example \"web\": 1.0.";
        foreach ((string domain, double share) in Proportions)
        {
            if (string.IsNullOrWhiteSpace(domain))
                return "A domain in Proportions has no name.";
            if (!double.IsFinite(share) || share < 0)
                return $"The proportion of domain '{domain}' is {share}; it must be 0 or more.";
        }

        double sum = Proportions.Values.Sum();
        return Math.Abs(sum - 1) <= SumTolerance ? null : $"The proportions of {string.Join(", ", Proportions.Keys.Order(StringComparer.Ordinal))} add up to {sum:0.######}; they must add up to 1.";
    }
}
