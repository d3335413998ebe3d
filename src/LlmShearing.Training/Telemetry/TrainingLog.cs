// Log messages of training. Event ids 4-10.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Training.Telemetry;

internal static partial class TrainingLog
{
    [LoggerMessage(4, LogLevel.Information, "Training in {Folder} from step {Step} to {Steps}.")]
    public static partial void TrainingBegins(ILogger logger, string folder, long step, long steps);

    [LoggerMessage(5, LogLevel.Information, "{Message}")]
    public static partial void TrainingEnds(ILogger logger, string message);

    [LoggerMessage(6, LogLevel.Warning, "{Warning}")]
    public static partial void TrainingWarning(ILogger logger, string warning);

    [LoggerMessage(7, LogLevel.Warning, "Left out: {What}")]
    public static partial void StepSkipped(ILogger logger, string what);

    [LoggerMessage(8, LogLevel.Information, "Evaluation after step {Step}: {Loss:G6}.")]
    public static partial void TrainingEvaluated(ILogger logger, long step, double loss);

    [LoggerMessage(9, LogLevel.Information, "Checkpoint of step {Step}: {Folder}.")]
    public static partial void CheckpointWritten(ILogger logger, long step, string folder);

    [LoggerMessage(10, LogLevel.Warning, "Old checkpoints in {Folder} could not be deleted.")]
    public static partial void CheckpointsNotPruned(ILogger logger, string folder, Exception cause);
}
