using static TorchSharp.torch;

namespace LlmShearing.Checkpoints;

/// <summary>How a model is loaded.</summary>
public sealed record LlamaLoadOptions
{
    /// <summary>Type of the weights in memory: Float32, Float16 or BFloat16. Equal to the stored type, the bytes are taken as they are.</summary>
    /// <value>Default Float32.</value>
    public ScalarType Dtype { get; init; } = ScalarType.Float32;

    /// <summary>Where the weights go.</summary>
    /// <value>Default null: the CPU.</value>
    public Device? Device { get; init; }

    /// <summary>Whether NaN and infinity are refused.</summary>
    /// <value>Default false.</value>
    public bool ValidateFinite { get; init; }
}
