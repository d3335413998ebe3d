using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Scoring;

/// <summary>Options of <see cref="BlockMagnitudeScorer"/>.</summary>
public sealed class BlockMagnitudeOptions
{
    /// <summary>Power p in |W|^p; no root is taken.</summary>
    /// <value>Default: 1.</value>
    [Range(0.01, 16.0)]
    public double NormPower { get; set; } = 1;

    /// <summary>How the rows of a weight become one number. Blocks only; for units of width axes see <see cref="GroupReduction"/>.</summary>
    /// <value>Default: sum.</value>
    [EnumDataType(typeof(ScoreReduction))]
    public ScoreReduction WeightReduction { get; set; } = ScoreReduction.Sum;

    /// <summary>How the weights of a block become one number.</summary>
    /// <value>Default: sum.</value>
    [EnumDataType(typeof(ScoreReduction))]
    public ScoreReduction BlockReduction { get; set; } = ScoreReduction.Sum;

    /// <summary>
    /// How the matrices that a unit of a width axis is cut from become one number: their sum, or the largest, as torch-pruning's group importance with the
    /// reduction <c>max</c>. The largest is taken channel by channel over projections and output projection, without norm weights and the embedding (a tied matrix
    /// counts as output projection); a head is the sum of its channels, where a key/value group compares each row of k and v with every query head that it serves.
    /// </summary>
    /// <value>Default: sum. Mean and product are refused.</value>
    [AllowedValues(ScoreReduction.Sum, ScoreReduction.Max, ErrorMessage = "GroupReduction must be Sum or Max.")]
    public ScoreReduction GroupReduction { get; set; } = ScoreReduction.Sum;
}
