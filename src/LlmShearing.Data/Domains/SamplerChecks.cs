// Checks that samplers share.
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Domains;

internal static class SamplerChecks
{
    /// <summary>Domains in the order of their names, and their shares scaled to 1.</summary>
    /// <exception cref="TokenDataException">The options are not valid.</exception>
    public static (string[] Domains, double[] Shares) Shares(FixedDomainSamplerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Problem() is string problem)
            throw new TokenDataException(problem);
        string[] domains = [.. options.Proportions.Keys.Order(StringComparer.Ordinal)];
        double sum = options.Proportions.Values.Sum();
        return (domains, [.. domains.Select(d => options.Proportions[d] / sum)]);
    }

    /// <summary>Refuses losses that are not one finite number for each domain.</summary>
    public static void Losses(IReadOnlyList<double> losses, IReadOnlyList<string> domains)
    {
        ArgumentNullException.ThrowIfNull(losses);
        if (losses.Count != domains.Count)
            throw new TokenDataException($"There are {losses.Count} losses for {domains.Count} domains ({string.Join(", ", domains)}). Give one for each, in that order.");
        for (int i = 0; i < losses.Count; i++)
            if (!double.IsFinite(losses[i]))
                throw new TokenDataException($"The loss of domain '{domains[i]}' is {losses[i]}. Check that the domain has evaluation data.");
    }

    /// <summary>Refuses a saved state of a sampler with other options.</summary>
    public static void Same(JsonObject state, JsonObject mine, params ReadOnlySpan<string> members)
    {
        foreach (string member in members)
            if (!JsonNode.DeepEquals(state[member], mine[member]))
                throw new TokenDataException($"The saved sampler state has {member} {Text(state[member])}, this sampler has {Text(mine[member])}. Resume with the options it was saved with, or start the sampler anew.");
    }

    /// <summary>A short form for messages.</summary>
    public static string Text(JsonNode? node) => node?.ToJsonString() is string text ? (text.Length <= 80 ? text : text[..77] + "...") : "nothing";
}
