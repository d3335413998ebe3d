namespace LlmShearing.Training.Runs;

/// <summary>Why a run is at its end, or paused.</summary>
public enum TrainingStop
{
    /// <summary>All steps are done.</summary>
    Completed,

    /// <summary>The evaluation loss did not fall any more.</summary>
    EarlyStopped,

    /// <summary>The data were used up.</summary>
    EndOfData,

    /// <summary>It was cancelled; the same call goes on where it stopped.</summary>
    Interrupted,
}

/// <summary>What a run came to. The trainable has the weights of <see cref="Step"/>.</summary>
public sealed record TrainingResult
{
    /// <summary>Why it stopped.</summary>
    public required TrainingStop Stop { get; init; }

    /// <summary>A sentence for people: why it stopped, and how to go on.</summary>
    public required string Message { get; init; }

    /// <summary>Steps done, those of earlier calls included.</summary>
    public required long Step { get; init; }

    /// <summary>Step at which this call took the run up; 0 when it began it. Equal to <see cref="Step"/> when there was nothing left to do.</summary>
    public required long ResumedAt { get; init; }

    /// <summary>Training loss of the last step that was not left out; null before the first.</summary>
    public double? Loss { get; init; }

    /// <summary>The last evaluation, or null.</summary>
    public EvaluationLosses? Evaluation { get; init; }

    /// <summary>The evaluation with the lowest loss, or null.</summary>
    public EvaluationLosses? Best { get; init; }

    /// <summary>Tokens that went through the model in training, padding included.</summary>
    public long Tokens { get; init; }

    /// <summary>Steps that were left out because a loss or gradient was not finite.</summary>
    public long SkippedSteps { get; init; }

    /// <summary>Share of each domain in the samples to come, as the last evaluation left them: where a further run on the same domains may start. Null without domains.</summary>
    public IReadOnlyDictionary<string, double>? Proportions { get; init; }

    /// <summary>Samples of each domain that were used; null when the data do not count them.</summary>
    public IReadOnlyDictionary<string, long>? Drawn { get; init; }

    /// <summary>How the warning for rows beyond the positions of the model begins.</summary>
    public const string LongRows = "Training rows";

    /// <summary>What the caller should know: damaged checkpoints that were passed over, another number of threads than before, rows beyond the model's positions.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
