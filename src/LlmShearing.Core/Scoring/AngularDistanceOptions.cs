using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Scoring;

/// <summary>Options of <see cref="AngularDistanceScorer"/>.</summary>
public sealed class AngularDistanceOptions
{
    /// <summary>Which states are compared.</summary>
    /// <value>Default: every window.</value>
    [EnumDataType(typeof(AngularStates))]
    public AngularStates States { get; set; } = AngularStates.EveryWindow;

    /// <summary>Bytes of temporaries inside one block.</summary>
    /// <value>Default: 64 MiB.</value>
    [Range(1L << 16, 1L << 40)]
    public long MaxActivationBytes { get; set; } = ActivationBudget.DefaultActivationBytes;

    /// <summary>Bytes of hidden states kept between blocks; with more calibration data the model is passed several times.</summary>
    /// <value>Default: 1 GiB.</value>
    [Range(1L << 16, 1L << 44)]
    public long MaxStateBytes { get; set; } = ActivationBudget.DefaultStateBytes;
}
