using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Scoring;

/// <summary>Options of <see cref="BlockInfluenceScorer"/>.</summary>
public sealed class BlockInfluenceOptions
{
    /// <summary>Whether a score is the sum over tokens, as in the ShortGPT code, instead of the mean, as in the paper. The order is the same.</summary>
    /// <value>Default: false, the mean.</value>
    public bool SumOverTokens { get; set; }

    /// <summary>Whether padding is treated as if it were text, which is what the ShortGPT code does: no attention mask, every position counts.</summary>
    /// <value>Default: false.</value>
    public bool CountPadding { get; set; }

    /// <summary>Bytes of temporaries inside one block.</summary>
    /// <value>Default: 64 MiB.</value>
    [Range(1L << 16, 1L << 40)]
    public long MaxActivationBytes { get; set; } = ActivationBudget.DefaultActivationBytes;

    /// <summary>Bytes of hidden states kept between blocks; with more calibration data the model is passed several times.</summary>
    /// <value>Default: 1 GiB.</value>
    [Range(1L << 16, 1L << 44)]
    public long MaxStateBytes { get; set; } = ActivationBudget.DefaultStateBytes;
}
