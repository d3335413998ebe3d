namespace LlmShearing.Training.Optimization;

/// <summary>The learning rate of every step as a share of its peak.</summary>
public sealed class LearningRateSchedule
{
    private readonly ScheduleKind _kind;
    private readonly long _warmup;
    private readonly long _total;
    private readonly double _final;

    /// <summary>Creates a schedule.</summary>
    /// <param name="kind">Its shape.</param>
    /// <param name="totalSteps">Steps of the whole run, at least 1.</param>
    /// <param name="warmupSteps">Steps of linear warm-up, 0 or more.</param>
    /// <param name="finalFactor">Share of the peak at the end, in [0, 1]; <see cref="ScheduleKind.Constant"/> ignores it.</param>
    /// <exception cref="TrainingException">A value is out of range.</exception>
    public LearningRateSchedule(ScheduleKind kind, long totalSteps, long warmupSteps = 0, double finalFactor = 0)
    {
        if (!Enum.IsDefined(kind))
            throw new TrainingException($"The schedule is {kind}. Known: {string.Join(", ", Enum.GetNames<ScheduleKind>())}.");
        if (totalSteps < 1)
            throw new TrainingException($"A schedule over {totalSteps} steps is not possible. Give at least 1.");
        if (warmupSteps < 0)
            throw new TrainingException($"{nameof(OptimizerSettings.WarmupSteps)} is {warmupSteps}, but must be 0 or more.");
        if (!(finalFactor >= 0 && finalFactor <= 1))
            throw new TrainingException($"{nameof(OptimizerSettings.FinalFactor)} is {finalFactor}, but must be in [0, 1].");
        (_kind, _total, _warmup, _final) = (kind, totalSteps, warmupSteps, finalFactor);
    }

    /// <summary>The schedule of a run.</summary>
    /// <param name="options">Settings of the run.</param>
    /// <param name="totalSteps">Steps of the whole run, at least 1.</param>
    /// <returns>The schedule.</returns>
    /// <exception cref="TrainingException">A value is out of range.</exception>
    public static LearningRateSchedule Of(OptimizerSettings options, long totalSteps)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new LearningRateSchedule(options.Schedule, totalSteps, options.WarmupSteps, options.FinalFactor);
    }

    /// <summary>
    /// The share of the peak in a step. Formulas: transformers get_cosine_schedule_with_warmup (half a cosine over the steps after the warm-up; it rises again
    /// when a run goes on after its end), get_linear_schedule_with_warmup, get_constant_schedule_with_warmup, each mapped from [0, 1] to [final factor, 1];
    /// Composer CosineAnnealingWithWarmupScheduler one step late.
    /// </summary>
    /// <param name="step">0-based optimizer step.</param>
    /// <returns>A factor in [0, 1].</returns>
    public double Factor(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (_kind == ScheduleKind.ComposerCosine)
            return Composer(Math.Max(0, step - 1));
        if (step < _warmup)
            return (double)step / _warmup;
        double span = Math.Max(1, _total - _warmup), progress = (step - _warmup) / span;
        return _kind switch
        {
            ScheduleKind.Cosine => Above(0.5 * (1 + Math.Cos(Math.PI * progress))),
            ScheduleKind.Linear => Above((_total - step) / span),
            _ => 1,
        };
    }

    /// <summary>Learning rates of the groups in a step.</summary>
    /// <param name="groups">The groups.</param>
    /// <param name="step">0-based optimizer step.</param>
    /// <returns>One rate a group.</returns>
    public IReadOnlyList<double> Rates(IReadOnlyList<ParameterGroup> groups, long step)
    {
        ArgumentNullException.ThrowIfNull(groups);
        double factor = Factor(step);
        return [.. groups.Select(g => g.LearningRate * factor)];
    }

    private double Composer(long time)
    {
        if (time < _warmup)
            return (double)time / _warmup;
        double span = _total - _warmup, progress = span <= 0 ? 1 : Math.Min(1, (time - _warmup) / span);
        return Above(0.5 * (1 + Math.Cos(Math.PI * progress)));
    }

    private double Above(double share) => _final + ((1 - _final) * Math.Max(0, share));
}
