using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Training.Steps;

/// <summary>What the loss of a step is divided by.</summary>
public enum LossNormalization
{
    /// <summary>Scored tokens of the whole step: every token weighs the same. The default.</summary>
    StepTokens,

    /// <summary>Each micro-batch's mean over its scored tokens, weighted by its share of the rows (Composer; plain gradient accumulation).</summary>
    MicroBatchMean,

    /// <summary>Labels of the whole step counted before the shift (transformers' Trainer since 4.46).</summary>
    StepLabels,
}

/// <summary>How one step is computed. Nothing here changes what is computed, but for rounding.</summary>
public sealed record TrainingStepOptions
{
    /// <summary>Whether blocks are run again in the backward pass instead of keeping what it needs: about a third more time, and the memory of one block's activations.</summary>
    /// <value>Default: true.</value>
    public bool Recompute { get; init; } = true;

    /// <summary>What the loss of a step is divided by.</summary>
    /// <value>Default: scored tokens of the step.</value>
    public LossNormalization Normalization { get; init; } = LossNormalization.StepTokens;

    /// <summary>Bytes of logits that are held at once.</summary>
    /// <value>Default: 32 MiB.</value>
    [Range(1, long.MaxValue)]
    public long LogitBytes { get; init; } = 32L << 20;
}

/// <summary>What one step computed; the gradients are in the parameters.</summary>
/// <param name="Loss">The minimised loss, additional losses included.</param>
/// <param name="Parts">Its parts by name, each a mean over scored tokens ("lm") or micro-batches.</param>
/// <param name="ScoredTokens">Predictions that counted.</param>
/// <param name="Tokens">Tokens that went through the model, padding included.</param>
public sealed record StepLosses(double Loss, IReadOnlyDictionary<string, double> Parts, long ScoredTokens, long Tokens);
