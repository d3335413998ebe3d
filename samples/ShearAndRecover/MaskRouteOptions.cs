using System.ComponentModel.DataAnnotations;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;

namespace LlmShearing.Samples;

/// <summary>What masks are learned to, and how; for the learned route.</summary>
internal sealed class MaskRouteOptions
{
    /// <summary>Sizes to reach; what is not named stays.</summary>
    [Required]
    public TargetSizes Target { get; set; } = new();

    /// <summary>Ramp, rates of masks and multipliers.</summary>
    [Required]
    public MaskLearningOptions Learning { get; set; } = new();

    /// <summary>Steps of mask learning.</summary>
    [Range(1, 1_000_000)]
    public int Steps { get; set; } = 60;

    /// <summary>Rate of the weights, while masks are learned and afterwards.</summary>
    [Range(1e-9, 1.0)]
    public double LearningRate { get; set; } = 1e-3;
}
