using System.ComponentModel.DataAnnotations;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using Microsoft.Extensions.Options;

namespace LlmShearing.Training.Runs;

/// <summary>What a run does with a step whose loss or gradient is not a finite number. The weights are never touched by it.</summary>
public enum NonFinitePolicy
{
    /// <summary>The run stops with an error that names the step and its data.</summary>
    Stop,

    /// <summary>The step is left out and counted; too many in a row stop the run.</summary>
    Skip,
}

/// <summary>Settings of a training run. Checked as a whole before anything is loaded.</summary>
public sealed record TrainingRunOptions
{
    /// <summary>Optimizer steps of the run; the learning rate schedule ends there.</summary>
    /// <value>Required, at least 1.</value>
    [Range(1, long.MaxValue)]
    public required long Steps { get; init; }

    /// <summary>Micro-batches whose gradients make up one step.</summary>
    /// <value>Default: 1.</value>
    [Range(1, 1_000_000)]
    public int GradientAccumulation { get; init; } = 1;

    /// <summary>Optimizer and schedule.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public OptimizerSettings Optimizer { get; init; } = new();

    /// <summary>How a step is computed.</summary>
    /// <value>Default: its defaults.</value>
    [Required]
    [ValidateObjectMembers]
    public TrainingStepOptions Step { get; init; } = new();

    /// <summary>Root of all randomness of the trainable. The data have their own seed.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; init; }

    /// <summary>Steps from one evaluation to the next; 0 = only at the end of the run. Evaluations need evaluation sets.</summary>
    /// <value>Default: 0.</value>
    [Range(0, long.MaxValue)]
    public long EvaluateEvery { get; init; }

    /// <summary>Whether the run begins with an evaluation, which also tells the data their first losses.</summary>
    /// <value>Default: false.</value>
    public bool EvaluateFirst { get; init; }

    /// <summary>Evaluations in a row without a lower loss after which the run stops; 0 = never.</summary>
    /// <value>Default: 0.</value>
    [Range(0, int.MaxValue)]
    public int EarlyStopPatience { get; init; }

    /// <summary>What happens when a loss or a gradient is not finite.</summary>
    /// <value>Default: the run stops.</value>
    public NonFinitePolicy NonFinite { get; init; } = NonFinitePolicy.Stop;

    /// <summary>Steps in a row that may be left out under <see cref="NonFinitePolicy.Skip"/>.</summary>
    /// <value>Default: 10.</value>
    [Range(1, int.MaxValue)]
    public int MaxConsecutiveSkips { get; init; } = 10;

    /// <summary>Steps from one log line to the next. Evaluations and steps that were left out are always logged.</summary>
    /// <value>Default: 1.</value>
    [Range(1, long.MaxValue)]
    public long LogEvery { get; init; } = 1;

    /// <summary>Steps from one checkpoint to the next; 0 = by time and at the end only. May differ when a run resumes.</summary>
    /// <value>Default: 500.</value>
    [Range(0, long.MaxValue)]
    public long CheckpointEvery { get; init; } = 500;

    /// <summary>Time after which a checkpoint is written at the end of the next step; null = by steps and at the end only. May differ when a run resumes.</summary>
    /// <value>Default: null.</value>
    public TimeSpan? CheckpointInterval { get; init; }

    /// <summary>Newest checkpoints that are kept. Two, so that there is one to fall back on. May differ when a run resumes.</summary>
    /// <value>Default: 2.</value>
    [Range(1, int.MaxValue)]
    public int KeepLast { get; init; } = 2;

    /// <summary>Whether a checkpoint is written at every evaluation with the lowest loss so far, and the best one is kept. May differ when a run resumes.</summary>
    /// <value>Default: false.</value>
    public bool KeepBest { get; init; }

    internal void Validate(bool hasEvaluation)
    {
        ValidateOptionsResult annotations = new TrainingRunOptionsAnnotations().Validate(null, this);
        List<string> problems = [.. annotations.Failures ?? []];
        if (!Enum.IsDefined(NonFinite))
            problems.Add($"{nameof(NonFinite)}: {NonFinite} is not a policy. Use Stop or Skip.");
        if (CheckpointInterval is { } interval && interval <= TimeSpan.Zero)
            problems.Add($"{nameof(CheckpointInterval)}: {interval} is not above zero. Use null for none.");
        foreach ((string name, bool set) in new[]
        {
            (nameof(EvaluateEvery), EvaluateEvery > 0),
            (nameof(EvaluateFirst), EvaluateFirst),
            (nameof(EarlyStopPatience), EarlyStopPatience > 0),
            (nameof(KeepBest), KeepBest),
        })
            if (set && !hasEvaluation)
                problems.Add($"{name} needs evaluations, but there is no evaluation set. Give one, or leave {name} out.");
        if (EarlyStopPatience > 0 && EvaluateEvery == 0)
            problems.Add($"{nameof(EarlyStopPatience)} is {EarlyStopPatience}, but there is only an evaluation at the end. Set {nameof(EvaluateEvery)}.");
        if (problems.Count > 0)
            throw new TrainingException("The settings of the run are not valid. " + string.Join(" ", problems));
    }
}

[OptionsValidator]
internal sealed partial class TrainingRunOptionsAnnotations : IValidateOptions<TrainingRunOptions>
{
}
