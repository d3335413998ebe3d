using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Data.Domains;

/// <summary>The rule of <see cref="ReferenceLossSampler"/>. Everything about a domain is found by its name, never by its position.</summary>
public sealed class ReferenceLossOptions
{
    /// <summary>Smoothing of LLM-Shearing's code.</summary>
    public const double DefaultSmoothing = 1e-4;

    /// <summary>Loss that each domain should reach, in nats per token on the same evaluation rows: measured on a model of the target size, predicted by
    /// <see cref="ScalingLaw"/>, or that of the model before pruning. Exactly the domains of the mixture; may be empty with <see cref="ProportionUpdate.Constant"/>.</summary>
    /// <value>Default: empty.</value>
    public IDictionary<string, double> Losses { get; set; } = new Dictionary<string, double>(StringComparer.Ordinal);

    /// <summary>How proportions follow losses.</summary>
    /// <value>Default: doremi.</value>
    [EnumDataType(typeof(ProportionUpdate))]
    public ProportionUpdate Update { get; set; } = ProportionUpdate.Doremi;

    /// <summary>Step size: what a nat of difference adds to the logarithm of a share. 0 to 1000.</summary>
    /// <value>Default: 1, as in LLM-Shearing.</value>
    [Range(0, 1000)]
    public double Eta { get; set; } = 1;

    /// <summary>Part of the mixture that is spread evenly at each update; with K domains no share falls below this / K, and a share of 0 comes back. 0 to 1.</summary>
    /// <value>Default: 1e-4, as in LLM-Shearing's code.</value>
    [Range(0, 1)]
    public double Smoothing { get; set; } = DefaultSmoothing;

    /// <summary>
    /// Whether a domain that is better than its reference counts as being at it: max(d, 0), as Algorithm 1 of the LLM-Shearing paper has it. False keeps the sign, as
    /// its code does. Signed is the default for two reasons: the published models were made so, and softmax ignores what is added to all differences, so reference
    /// losses that are all too high or too low by the same amount do no harm; clipped, references that are all reached stop the adaptation.
    /// </summary>
    /// <value>Default: false.</value>
    public bool ClipDifferences { get; set; }

    /// <summary>Largest change of any share at one update; a longer step is shortened as a whole, so its direction stays. Above 0 to 1; null = no limit.</summary>
    /// <value>Default: null, as in LLM-Shearing.</value>
    [Range(double.Epsilon, 1)]
    public double? MaxChange { get; set; }

    /// <summary>Least share by domain, from the start on; what it takes comes from the other domains in proportion. Together at most 1. Domains not named have none.</summary>
    /// <value>Default: empty, as in LLM-Shearing.</value>
    public IDictionary<string, double> MinimumShares { get; set; } = new Dictionary<string, double>(StringComparer.Ordinal);

    /// <summary>What is wrong with these options for these domains, in words; null when nothing is.</summary>
    internal string? Problem(IEnumerable<string> domains)
    {
        string[] known = [.. domains.Order(StringComparer.Ordinal)];
        if (!Enum.IsDefined(Update))
            return $"Update is {(int)Update}; use one of {string.Join(", ", Enum.GetNames<ProportionUpdate>())}.";
        if (Eta is not (>= 0 and <= 1000))
            return $"Eta is {Eta}; it must be from 0 to 1000.";
        if (Smoothing is not (>= 0 and <= 1))
            return $"Smoothing is {Smoothing}; it must be from 0 to 1.";
        if (MaxChange is { } change && change is not (> 0 and <= 1))
            return $"MaxChange is {change}; it must be above 0 and at most 1, or absent.";
        return LossesProblem(known) ?? MinimumsProblem(known);
    }

    private string? LossesProblem(string[] known)
    {
        string names = string.Join(", ", known);
        if (Losses is null)
            return "There are no reference losses.";
        foreach ((string domain, double loss) in Losses)
        {
            if (!known.Contains(domain, StringComparer.Ordinal))
                return $"There is a reference loss for '{domain}', which is no domain of the mixture ({names}).";
            if (!double.IsFinite(loss) || loss < 0)
                return $"The reference loss of domain '{domain}' is {loss}; it must be a number of nats per token, 0 or more.";
        }

        return known.FirstOrDefault(d => !Losses.ContainsKey(d)) is { } missing && (Update != ProportionUpdate.Constant || Losses.Count > 0)
            ? $"There is no reference loss for domain '{missing}'; given: {(Losses.Count == 0 ? "none" : string.Join(", ", Losses.Keys.Order(StringComparer.Ordinal)))}. Give one for each of {names}."
            : null;
    }

    private string? MinimumsProblem(string[] known)
    {
        if (MinimumShares is null)
            return "MinimumShares is null; leave it empty for no minimum.";
        foreach ((string domain, double share) in MinimumShares)
        {
            if (!known.Contains(domain, StringComparer.Ordinal))
                return $"There is a minimum share for '{domain}', which is no domain of the mixture ({string.Join(", ", known)}).";
            if (share is not (>= 0 and <= 1))
                return $"The minimum share of domain '{domain}' is {share}; it must be from 0 to 1.";
        }

        return MinimumShares.Values.Sum() is > 1 and var sum ? $"The minimum shares add up to {sum:0.######}; together they must be at most 1." : null;
    }
}
