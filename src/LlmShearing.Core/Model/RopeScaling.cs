namespace LlmShearing.Model;

/// <summary>How rotary frequencies are scaled.</summary>
public enum RopeType
{
    /// <summary>No scaling.</summary>
    Default,

    /// <summary>All frequencies divided by the factor.</summary>
    Linear,

    /// <summary>Dynamic NTK: a larger base when the sequence is longer than the trained context.</summary>
    Dynamic,

    /// <summary>LLaMA 3.1: low frequencies divided, high ones kept, a smooth ramp between.</summary>
    Llama3,
}

/// <summary>Rotary scaling parameters as config.json gives them.</summary>
/// <param name="Type">The rule.</param>
/// <param name="Factor">Scaling factor, at least 1.</param>
/// <param name="LowFrequencyFactor">llama3 only: wavelengths above original context / this are fully scaled.</param>
/// <param name="HighFrequencyFactor">llama3 only: wavelengths below original context / this are kept.</param>
/// <param name="OriginalMaxPositionEmbeddings">llama3 only: context length before extension, in tokens.</param>
public sealed record RopeScaling(
    RopeType Type,
    double Factor = 1,
    double LowFrequencyFactor = 1,
    double HighFrequencyFactor = 1,
    int OriginalMaxPositionEmbeddings = 0);
