namespace LlmShearing.Masks.Learning;

/// <summary>How masks are learned. Defaults are this library's; <see cref="Reference"/> does what LLM-Shearing's code does. docs/masks.md lists every difference.</summary>
public sealed record MaskLearningOptions
{
    /// <summary>What LLM-Shearing's code does, for comparison: the embedding is not masked while training, and masks, multipliers and weights are clipped together.</summary>
    public static MaskLearningOptions Reference { get; } = new() { GateEmbedding = false, ClipTogether = true };

    /// <summary>Optimizer steps over which the wanted sparsity rises from <see cref="StartSparsity"/> to the target's.</summary>
    /// <value>Default: 640, as in LLM-Shearing's run of 3,200 steps.</value>
    public long RampSteps { get; init; } = 640;

    /// <summary>Sparsity wanted at step 0, in [0, 1).</summary>
    /// <value>Default: 0.</value>
    public double StartSparsity { get; init; }

    /// <summary>Peak learning rate of mask logits, above 0. Adam makes it the largest move of a logit a step; logits span [-4.6, 4.6].</summary>
    /// <value>Default: 1 (LLM-Shearing, lag_lr).</value>
    public double MaskLearningRate { get; init; } = 1;

    /// <summary>Peak learning rate of the multipliers, which ascend, above 0.</summary>
    /// <value>Default: 1 (LLM-Shearing, lag_lr).</value>
    public double MultiplierLearningRate { get; init; } = 1;

    /// <summary>
    /// Second multiplier, that of the squared error, at the start, 0 or more. Above 0 the sparsity follows its ramp from the beginning; at 0 both multipliers must first grow,
    /// and in short runs then overshoot.
    /// </summary>
    /// <value>Default: 0 (LLM-Shearing).</value>
    public double InitialQuadratic { get; init; }

    /// <summary>Where logits start; null = LLM-Shearing's.</summary>
    public MaskInitialization? Initialization { get; init; }

    /// <summary>Share of the prunable parameters to remove, inside (0, 1), for layouts without a target shape; null with one.</summary>
    public double? TotalSparsity { get; init; }

    /// <summary>Whether the model's weights are trained together with the masks.</summary>
    /// <value>Default: true.</value>
    public bool TrainWeights { get; init; } = true;

    /// <summary>
    /// Whether the embedding is multiplied by the hidden mask, so that the masked model is exactly the one that is cut out of it. LLM-Shearing forgets it while training
    /// (models/composer_llama.py).
    /// </summary>
    /// <value>Default: true.</value>
    public bool GateEmbedding { get; init; } = true;

    /// <summary>
    /// Whether gradients of logits and multipliers take part in the clipping of the weights' gradients. Multipliers grow to thousands, so that in the original the weights'
    /// gradients shrink with them.
    /// </summary>
    /// <value>Default: false.</value>
    public bool ClipTogether { get; init; }

    /// <summary>Whether the cut leaves the weights of the units that stay as they are, instead of folding mask values into them (<see cref="MaskFoldOptions.Harden"/>).</summary>
    /// <value>Default: false (LLM-Shearing folds).</value>
    public bool Harden { get; init; }

    /// <summary>Whether evaluations during the run use exactly the target shape instead of the expected number of units, which misleads until the masks have converged.</summary>
    /// <value>Default: false (LLM-Shearing, eval_target_model).</value>
    public bool EvaluateTarget { get; init; }

    /// <summary>Refuses settings that are out of range.</summary>
    internal void Check()
    {
        if (!(MaskLearningRate > 0 && double.IsFinite(MaskLearningRate)))
            throw new MaskException($"{nameof(MaskLearningRate)} is {MaskLearningRate}; it must be above 0.");
        if (!(InitialQuadratic >= 0 && double.IsFinite(InitialQuadratic)))
            throw new MaskException($"{nameof(InitialQuadratic)} is {InitialQuadratic}; it must be 0 or more.");
        if (!(MultiplierLearningRate > 0 && double.IsFinite(MultiplierLearningRate)))
            throw new MaskException($"{nameof(MultiplierLearningRate)} is {MultiplierLearningRate}; it must be above 0.");
    }
}
