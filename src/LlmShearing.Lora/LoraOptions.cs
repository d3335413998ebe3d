using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Lora;

/// <summary>The projections of a block.</summary>
[Flags]
public enum LoraTargets
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>q_proj.</summary>
    Query = 1,

    /// <summary>k_proj.</summary>
    Key = 2,

    /// <summary>v_proj.</summary>
    Value = 4,

    /// <summary>o_proj.</summary>
    Output = 8,

    /// <summary>gate_proj.</summary>
    Gate = 16,

    /// <summary>up_proj.</summary>
    Up = 32,

    /// <summary>down_proj.</summary>
    Down = 64,

    /// <summary>All seven.</summary>
    All = Query | Key | Value | Output | Gate | Up | Down,
}

/// <summary>Size and place of low-rank adapters (Hu et al., "LoRA"). Defaults are those of Shortened LLaMA's and LLM-Pruner's recovery.</summary>
public sealed record LoraOptions
{
    /// <summary>Rank r of the update B·A.</summary>
    /// <value>Default: 8.</value>
    [Range(1, 65536)]
    public int Rank { get; init; } = 8;

    /// <summary>The update is scaled by alpha / r.</summary>
    /// <value>Default: 16.</value>
    [Range(double.Epsilon, double.MaxValue)]
    public double Alpha { get; init; } = 16;

    /// <summary>Share of the adapter's input that is dropped in training, in [0, 1).</summary>
    /// <value>Default: 0.05.</value>
    [Range(0.0, 0.999999)]
    public double Dropout { get; init; } = 0.05;

    /// <summary>Projections that get an adapter, in every block that has them.</summary>
    /// <value>Default: all seven.</value>
    public LoraTargets Targets { get; init; } = LoraTargets.All;

    /// <summary>Root of the randomness of initialisation and dropout.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; init; }

    /// <summary>Factor of the update: alpha / r.</summary>
    public double Scale => Alpha / Rank;
}
