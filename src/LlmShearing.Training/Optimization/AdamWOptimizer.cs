// The optimizer: Adam with the three kinds of weight decay, over groups of parameters.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Optimization;

/// <summary>
/// Adam (Kingma and Ba, arXiv 1412.6980) with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), in PyTorch's order of operations:
/// p *= 1 - decay; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps), where t counts the updates of
/// the parameter. Gradients are read from <c>.grad</c>; a parameter without one is not touched. 16-bit parameters are updated through a float32 copy, their
/// gradient may be float32. On the CPU one pass over memory, whatever the number of threads with the same result. Used by one thread at a time.
/// </summary>
public sealed class AdamWOptimizer : IDisposable
{
    private readonly AdamSlot[] _slots;
    private readonly SortedDictionary<string, Tensor> _state = new(StringComparer.Ordinal);

    /// <summary>Prepares the state: two moments for each parameter, and a float32 copy of 16-bit ones.</summary>
    /// <param name="groups">The groups; every parameter float32, bfloat16 or float16, contiguous, and in one group only.</param>
    /// <exception cref="TrainingException">A setting is out of range, or a parameter does not fit.</exception>
    public AdamWOptimizer(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        AdamRules.Check(groups);
        Groups = groups;
        _slots = [.. groups.SelectMany((g, i) => g.Parameters.Select(p => new AdamSlot(p, g, i)))];
        foreach (AdamSlot slot in _slots)
            foreach ((string name, Tensor value) in slot.State())
                _state.Add(name, value);
    }

    /// <summary>The groups, in the order of the learning rates.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>
    /// State by name: <c>exp_avg.NAME</c>, <c>exp_avg_sq.NAME</c>, and <c>master.NAME</c> for 16-bit parameters; float32, in the shape of the parameter. The
    /// tensors belong to the optimizer; a checkpoint is read into them, followed by <see cref="CompleteRestore"/>.
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> State => _state;

    /// <summary>Updates so far of each parameter, by its name.</summary>
    public IReadOnlyDictionary<string, long> StepCounts => _slots.ToDictionary(s => s.Name, s => s.Steps, StringComparer.Ordinal);

    /// <summary>The factor of gradients for a global norm: min(1, max / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ computes it.</summary>
    /// <param name="norm">Norm of all gradients; infinite gives 0, NaN gives NaN.</param>
    /// <param name="maximum">Largest norm wanted; 0 = no clipping.</param>
    /// <returns>The factor.</returns>
    public static double ClipScale(double norm, double maximum) => maximum == 0 ? 1 : Math.Min(1, maximum / (norm + 1e-6));

    /// <summary>
    /// Norm over the gradients of all groups together that are clipped (<see cref="ParameterGroup.Unclipped"/>), in double precision; the same bits whatever the number of threads.
    /// </summary>
    /// <param name="norm">Which; default L2.</param>
    /// <returns>The norm; 0 when there is no gradient. Infinite or NaN when any gradient is, clipped or not.</returns>
    public double GradientNorm(GradientNorm norm = Optimization.GradientNorm.L2)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        double unclipped = AdamWork.SumOfSquares(_slots.Where(s => s.Group.Unclipped));
        if (!double.IsFinite(unclipped))
            return unclipped;
        IEnumerable<AdamSlot> clipped = _slots.Where(s => !s.Group.Unclipped);
        return norm == Optimization.GradientNorm.Infinity ? AdamWork.LargestMagnitude(clipped) : Math.Sqrt(AdamWork.SumOfSquares(clipped));
    }

    /// <summary>Moves every parameter that has a gradient.</summary>
    /// <param name="learningRates">One rate a group, 0 or more, as the schedule gives it.</param>
    /// <param name="gradientScale">Factor of the gradients of all clipped groups, from <see cref="ClipScale"/>; default 1.</param>
    /// <exception cref="TrainingException">A rate or the scale is not a finite number of 0 or more, or a gradient has another shape or device than its parameter. Nothing is changed then.</exception>
    public void Step(IReadOnlyList<double> learningRates, double gradientScale = 1)
    {
        ArgumentNullException.ThrowIfNull(learningRates);
        AdamRules.CheckStep(Groups, learningRates, gradientScale);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        AdamWork.Step(_slots, learningRates, gradientScale);
    }

    /// <summary>Drops all gradients.</summary>
    public void ZeroGradients() => Gradients.Clear(_slots.Select(s => s.Parameter));

    /// <summary>To be called after a checkpoint was read into <see cref="State"/>: sets the update counts, and rounds 16-bit parameters from their float32 copies.</summary>
    /// <param name="stepCounts">Updates of each parameter, by name, as in <see cref="StepCounts"/>.</param>
    /// <exception cref="TrainingException">A count is missing, negative, or of an unknown parameter. Nothing is changed then.</exception>
    public void CompleteRestore(IReadOnlyDictionary<string, long> stepCounts)
    {
        ArgumentNullException.ThrowIfNull(stepCounts);
        AdamRules.CheckCounts(_slots, stepCounts);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (AdamSlot slot in _slots)
            slot.Restore(stepCounts[slot.Name]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor tensor in _state.Values)
            tensor.Dispose();
    }
}
