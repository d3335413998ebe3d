// What a host configures: which components, and their options. Bound from one configuration section, checked when the host starts.
using System.ComponentModel.DataAnnotations;
using LlmShearing.Devices;
using LlmShearing.Planning;
using LlmShearing.Scoring;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

/// <summary>Options of the library, usually the section "Shearing". An unknown key in the section is an error.</summary>
public sealed class ShearingOptions
{
    /// <summary>Name of the criterion that <see cref="ShearingPlanner"/> uses.</summary>
    /// <value>Default: block-perplexity.</value>
    [Required]
    public string Scorer { get; set; } = ScorerNames.BlockPerplexity;

    /// <summary>Name of the strategy that <see cref="ShearingPlanner"/> uses.</summary>
    /// <value>Default: block-depth.</value>
    [Required]
    public string Strategy { get; set; } = BlockDepthStrategy.Name;

    /// <summary>Root of all randomness.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; set; }

    /// <summary>Where models are loaded to and work is done: auto, cpu, cuda, cuda:N or mps. See <see cref="ComputeDevice"/>; <see cref="ShearingPlanner.Load"/> follows it.</summary>
    /// <value>Default: auto, the first CUDA device where there is one, else the CPU.</value>
    [Required]
    public string Device { get; set; } = ComputeDevice.Auto;

    /// <summary>Whether block-depth scores again after each removal. Refused with another strategy.</summary>
    /// <value>Default: false.</value>
    public bool Iterative { get; set; }

    /// <summary>How many blocks block-depth removes, and which may go. Refused with another strategy; once anything is set here, an amount must be.</summary>
    /// <value>Default: no amount, nothing protected.</value>
    [Required]
    [ValidateObjectMembers]
    public BlockDepthOptions Depth { get; set; } = new();

    /// <summary>Sizes that strategies other than block-depth aim at: at least one must be given for them, and none with block-depth.</summary>
    /// <value>Default: no size.</value>
    [Required]
    public TargetSizes Target { get; set; } = new();

    /// <summary>Options of the built-in criteria.</summary>
    /// <value>Default: each criterion's defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public BuiltInScorerOptions Scorers { get; set; } = new();
}

/// <summary>Options of the built-in criteria, by criterion.</summary>
public sealed class BuiltInScorerOptions
{
    /// <summary>Options of magnitude.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public BlockMagnitudeOptions Magnitude { get; set; } = new();

    /// <summary>Options of taylor.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public BlockTaylorOptions Taylor { get; set; } = new();

    /// <summary>Options of gate-taylor.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    public GateTaylorOptions GateTaylor { get; set; } = new();

    /// <summary>Options of block-perplexity.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public BlockPerplexityOptions BlockPerplexity { get; set; } = new();

    /// <summary>Options of block-influence.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public BlockInfluenceOptions BlockInfluence { get; set; } = new();

    /// <summary>Options of angular.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public AngularDistanceOptions Angular { get; set; } = new();
}
