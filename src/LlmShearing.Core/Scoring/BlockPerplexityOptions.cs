using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Scoring;

/// <summary>Options of <see cref="BlockPerplexityScorer"/>.</summary>
public sealed class BlockPerplexityOptions
{
    /// <summary>Bytes of temporaries inside one block: how many rows of how many streams go through it together.</summary>
    /// <value>Default: 64 MiB.</value>
    [Range(1L << 16, 1L << 40)]
    public long MaxActivationBytes { get; set; } = ActivationBudget.DefaultActivationBytes;

    /// <summary>
    /// Bytes of hidden states kept between blocks: calibration tokens x blocks x hidden size x element size.
    /// With more calibration data the model is passed several times.
    /// </summary>
    /// <value>Default: 1 GiB.</value>
    [Range(1L << 16, 1L << 44)]
    public long MaxStateBytes { get; set; } = ActivationBudget.DefaultStateBytes;
}
