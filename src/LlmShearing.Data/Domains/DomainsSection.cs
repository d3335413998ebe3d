namespace LlmShearing.Data.Domains;

/// <summary>The configuration section from which samplers are set up: what they all share, and the rule of the adaptive one.</summary>
internal sealed class DomainsSection
{
    public IDictionary<string, double> Proportions { get; set; } = new Dictionary<string, double>(StringComparer.Ordinal);

    public int Seed { get; set; }

    public ReferenceLossOptions? ReferenceLoss { get; set; }
}
