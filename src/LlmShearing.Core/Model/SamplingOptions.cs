using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Logging;

namespace LlmShearing.Model;

/// <summary>How the next token is chosen.</summary>
public sealed record SamplingOptions
{
    internal const double MaxTemperature = 1000, MaxRepetitionPenalty = 1000;

    /// <summary>Tokens to generate at most, per row.</summary>
    /// <value>Default 64.</value>
    [Range(1, int.MaxValue)]
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>Logits are divided by this; 0 = greedy.</summary>
    /// <value>Default 0.</value>
    [Range(0, 1000.0)]
    public double Temperature { get; init; }

    /// <summary>Keep the k most likely tokens; 0 = all.</summary>
    /// <value>Default 0.</value>
    [Range(0, int.MaxValue)]
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of most likely tokens whose probabilities reach this; 1 = all.</summary>
    /// <value>Default 1.</value>
    [Range(0.0, 1.0)]
    public double TopP { get; init; } = 1;

    /// <summary>Logits of tokens that are in the row already, prompt included, are divided by this where positive and multiplied where negative; 1 = not. Holds for the greedy choice, too.</summary>
    /// <value>Default 1.</value>
    [Range(double.Epsilon, MaxRepetitionPenalty)]
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Seed of the sampling; the same seed gives the same tokens on the same machine.</summary>
    /// <value>Default 0.</value>
    public int Seed { get; init; }

    /// <summary>Ids that end a row; null = those of the model's config.json (<see cref="GenerationConfig"/> has those of generation_config.json); empty = never stop early.</summary>
    /// <value>Default null.</value>
    public IReadOnlyList<int>? StopIds { get; init; }

    /// <summary>Whether every step gives the logits of the whole vocabulary, too. Without it only what the choice needs leaves the device.</summary>
    /// <value>Default false.</value>
    public bool KeepLogits { get; init; }

    /// <summary>Receives a warning when prompt and new tokens reach beyond the model's positions; null = nothing.</summary>
    /// <value>Default null.</value>
    public ILogger? Logger { get; init; }

    internal void Validate()
    {
        if (MaxNewTokens < 1)
            throw new ArgumentOutOfRangeException(nameof(MaxNewTokens), MaxNewTokens, "At least one token must be asked for.");
        if (!(Temperature >= 0) || double.IsInfinity(Temperature))
            throw new ArgumentOutOfRangeException(nameof(Temperature), Temperature, "The temperature must be 0 (greedy) or a positive number.");
        if (TopK < 0)
            throw new ArgumentOutOfRangeException(nameof(TopK), TopK, "top-k must be 0 (all) or positive.");
        if (!(TopP > 0 && TopP <= 1))
            throw new ArgumentOutOfRangeException(nameof(TopP), TopP, "top-p must be above 0 and at most 1.");
        if (!(RepetitionPenalty > 0 && RepetitionPenalty <= MaxRepetitionPenalty))
            throw new ArgumentOutOfRangeException(nameof(RepetitionPenalty), RepetitionPenalty, "The repetition penalty must be above 0 and at most 1000; 1 changes nothing.");
    }
}
