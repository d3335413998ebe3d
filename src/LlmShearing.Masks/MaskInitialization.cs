using System.Collections.Immutable;

namespace LlmShearing.Masks;

/// <summary>
/// Where logits start: normally distributed around a mean, then clamped to [-ln 100, ln 100]. The default is LLM-Shearing's N(5, 0.01), which clamps to ln 100
/// everywhere, so that all masks start alike at P(z = 0) = 0.002.
/// </summary>
public sealed record MaskInitialization
{
    /// <summary>Mean logit.</summary>
    /// <value>Default: 5.</value>
    public double Mean { get; init; } = 5;

    /// <summary>Mean logit of single axes, where it differs.</summary>
    public ImmutableDictionary<PruningAxes, double> Means { get; init; } = ImmutableDictionary<PruningAxes, double>.Empty;

    /// <summary>Standard deviation, 0 or more.</summary>
    /// <value>Default: 0.01.</value>
    public double Deviation { get; init; } = 0.01;

    /// <summary>
    /// Scores of another criterion to start from, or null: in each row the best unit starts at its mean, the worst <see cref="Spread"/> below, the others between them by rank. Short runs then
    /// refine a choice instead of finding one. Axes without scores start alike.
    /// </summary>
    /// <value>Default: null (LLM-Shearing: all start alike).</value>
    public ImportanceScores? Scores { get; init; }

    /// <summary>Distance in logits between the best and the worst unit of a row under <see cref="Scores"/>, 0 or more.</summary>
    /// <value>Default: 3.</value>
    public double Spread { get; init; } = 3;

    /// <summary>Seed of the deviations.</summary>
    /// <value>Default: 0.</value>
    public ulong Seed { get; init; }

    /// <summary>CoFi's start (arXiv 2204.00408, models/l0_module.py): mean 10, and 0 for feed-forward channels, which begin at P(z = 0) = 0.168.</summary>
    public static MaskInitialization CoFi { get; } = new() { Mean = 10, Means = ImmutableDictionary<PruningAxes, double>.Empty.Add(PruningAxes.Intermediate, 0) };

    /// <summary>The first logits of a family, clamped.</summary>
    internal float[] Logits(MaskFamily family)
    {
        double mean = Means.GetValueOrDefault(family.Axis, Mean);
        if (!double.IsFinite(mean))
            throw new MaskException($"The mean of the {family.Name} logits is {mean}; it must be a finite number.");
        if (!(Deviation >= 0 && double.IsFinite(Deviation)))
            throw new MaskException($"The standard deviation of the logits is {Deviation}; it must be a finite number of 0 or more.");
        if (!(Spread >= 0 && double.IsFinite(Spread)))
            throw new MaskException($"The spread of the first logits is {Spread}; it must be a finite number of 0 or more.");
        double[] below = Scores is { } scores && scores.Has(family.Axis) ? RanksFromTheTop(family, scores) : new double[family.Count];
        double[] radius = new double[family.Count], angle = new double[family.Count];
        new SeededMaskNoise(Seed).Fill(family, radius);
        new SeededMaskNoise(~Seed).Fill(family, angle);
        float[] logits = new float[family.Count];
        for (int i = 0; i < logits.Length; i++)
        {
            // Box and Muller.
            double normal = Math.Sqrt(-2 * Math.Log(radius[i])) * Math.Cos(2 * Math.PI * angle[i]);
            logits[i] = (float)HardConcrete.Clamp((Scores is null ? mean : Math.Min(mean, HardConcrete.LogitBound)) - (Spread * below[i]) + (Deviation * normal));
        }

        return logits;
    }

    // 0 for the best unit of a row, 1 for the worst; of equal ones the lower index is better.
    private static double[] RanksFromTheTop(MaskFamily family, ImportanceScores scores)
    {
        double[] flat = [.. scores[family.Axis].SelectMany(r => r)];
        if (flat.Length != family.Count)
            throw new MaskException($"There are {flat.Length} {family.Name} scores; the masks have {family.Count} entries. Give scores of this model.");
        double[] ranks = new double[flat.Length];
        for (int start = 0; start < flat.Length; start += family.Size)
        {
            int[] order = [.. Enumerable.Range(start, family.Size).OrderByDescending(i => flat[i])];
            for (int rank = 0; rank < order.Length; rank++)
                ranks[order[rank]] = order.Length == 1 ? 0 : (double)rank / (order.Length - 1);
        }

        return ranks;
    }
}
