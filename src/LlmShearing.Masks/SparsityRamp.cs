namespace LlmShearing.Masks;

/// <summary>How the wanted sparsity rises: start + (full - start) * min(1, step / warm-up), at once without warm-up (LLM-Shearing, models/l0_module.py).</summary>
public sealed record SparsityRamp
{
    /// <summary>Creates a ramp.</summary>
    /// <param name="warmupSteps">Optimizer steps until the full sparsity is wanted, 0 or more.</param>
    /// <param name="start">Sparsity wanted at step 0, in [0, 1).</param>
    /// <exception cref="MaskException">A value is out of range.</exception>
    public SparsityRamp(long warmupSteps, double start = 0)
    {
        if (warmupSteps < 0)
            throw new MaskException($"The sparsity warm-up is {warmupSteps} steps; it must be 0 or more.");
        if (!(start >= 0 && start < 1))
            throw new MaskException($"The start sparsity is {start}; it must be in [0, 1).");
        (WarmupSteps, Start) = (warmupSteps, start);
    }

    /// <summary>Optimizer steps until the full sparsity is wanted.</summary>
    public long WarmupSteps { get; }

    /// <summary>Sparsity wanted at step 0.</summary>
    public double Start { get; }

    /// <summary>The sparsity wanted in a step.</summary>
    /// <param name="step">Optimizer steps completed, 0 or more.</param>
    /// <param name="full">Sparsity wanted in the end.</param>
    /// <returns>A sparsity.</returns>
    public double At(long step, double full)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        return step >= WarmupSteps ? full : Start + ((full - Start) * ((double)step / WarmupSteps));
    }
}
