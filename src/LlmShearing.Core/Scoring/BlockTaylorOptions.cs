using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Scoring;

/// <summary>Options of <see cref="BlockTaylorScorer"/>.</summary>
public sealed class BlockTaylorOptions
{
    /// <summary>Power p in |A|^p; no root is taken.</summary>
    /// <value>Default: 1.</value>
    [Range(0.01, 16.0)]
    public double NormPower { get; set; } = 1;

    /// <summary>How the rows of a weight become one number.</summary>
    /// <value>Default: sum.</value>
    [EnumDataType(typeof(ScoreReduction))]
    public ScoreReduction WeightReduction { get; set; } = ScoreReduction.Sum;

    /// <summary>How the weights of a block become one number.</summary>
    /// <value>Default: sum.</value>
    [EnumDataType(typeof(ScoreReduction))]
    public ScoreReduction BlockReduction { get; set; } = ScoreReduction.Sum;
}
