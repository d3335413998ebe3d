using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace LlmShearing.Training.Optimization;

/// <summary>How weight decay is applied.</summary>
public enum DecayKind
{
    /// <summary>AdamW: p *= 1 - lr * decay.</summary>
    Decoupled,

    /// <summary>Composer's DecoupledAdamW: p *= 1 - decay * lr / initial lr.</summary>
    DecoupledFromRate,

    /// <summary>Adam: decay * p is added to the gradient.</summary>
    L2,
}

/// <summary>Which norm of the gradients is limited.</summary>
public enum GradientNorm
{
    /// <summary>The root of the sum of squares over all gradients.</summary>
    L2,

    /// <summary>The largest magnitude of any element.</summary>
    Infinity,
}

/// <summary>Shape of the learning rate over the steps.</summary>
public enum ScheduleKind
{
    /// <summary>Warm-up from 0, then a half cosine down to <see cref="OptimizerSettings.FinalFactor"/> of the peak (transformers).</summary>
    Cosine,

    /// <summary>Warm-up from 0, then a straight line down to <see cref="OptimizerSettings.FinalFactor"/> of the peak (transformers).</summary>
    Linear,

    /// <summary>Warm-up from 0, then constant (transformers).</summary>
    Constant,

    /// <summary>Composer's cosine_with_warmup: step i uses the value at max(0, i - 1), so that the first two steps of a warm-up have rate 0.</summary>
    ComposerCosine,
}

/// <summary>Settings of the optimizer. Defaults are those of continued pretraining in LLM-Shearing, with plain warm-up.</summary>
public sealed record OptimizerSettings
{
    /// <summary>Peak learning rate, above 0.</summary>
    /// <value>Default: 1e-4.</value>
    [Range(double.Epsilon, 1e6)]
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Weight decay of matrices, 0 or more. Vectors (norms, biases) are not decayed.</summary>
    /// <value>Default: 0.</value>
    [Range(0.0, 1e6)]
    public double WeightDecay { get; init; }

    /// <summary>How weight decay is applied.</summary>
    /// <value>Default: AdamW.</value>
    public DecayKind Decay { get; init; } = DecayKind.Decoupled;

    /// <summary>Decay of the first moment, in [0, 1).</summary>
    /// <value>Default: 0.9.</value>
    [Range(0.0, 0.9999999)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment, in [0, 1).</summary>
    /// <value>Default: 0.95.</value>
    [Range(0.0, 0.9999999)]
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the second moment, above 0.</summary>
    /// <value>Default: 1e-8.</value>
    [Range(double.Epsilon, 1.0)]
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Gradients are scaled down to this global norm; 0 = no clipping.</summary>
    /// <value>Default: 1.</value>
    [Range(0.0, 1e9)]
    public double ClipNorm { get; init; } = 1.0;

    /// <summary>The norm that <see cref="ClipNorm"/> limits.</summary>
    /// <value>Default: L2.</value>
    // Left out where it is the default, so that runs begun before there was a choice go on.
    [EnumDataType(typeof(GradientNorm))]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public GradientNorm ClipBy { get; init; }

    /// <summary>Shape of the learning rate.</summary>
    /// <value>Default: cosine.</value>
    public ScheduleKind Schedule { get; init; } = ScheduleKind.Cosine;

    /// <summary>Steps of linear warm-up, 0 or more.</summary>
    /// <value>Default: 0.</value>
    [Range(0, long.MaxValue)]
    public long WarmupSteps { get; init; }

    /// <summary>Learning rate at the last step as a share of the peak, in [0, 1].</summary>
    /// <value>Default: 0.1.</value>
    [Range(0.0, 1.0)]
    public double FinalFactor { get; init; } = 0.1;
}
