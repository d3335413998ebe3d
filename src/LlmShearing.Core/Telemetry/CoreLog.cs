// Log messages of this assembly. Event ids 1-99.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Telemetry;

internal static partial class CoreLog
{
    [LoggerMessage(1, LogLevel.Information, "Plan by {Strategy} on {Scorer}: {Before} -> {After} parameters, {Layers} blocks, {Seconds:F1} s.")]
    public static partial void PlanCreated(ILogger logger, string strategy, string scorer, long before, long after, int layers, double seconds);

    [LoggerMessage(2, LogLevel.Information, "Perplexity {Perplexity:G6} on {Tokens} tokens, {Parameters} parameters, {Seconds:F1} s.")]
    public static partial void Evaluated(ILogger logger, double perplexity, long tokens, long parameters, double seconds);

    [LoggerMessage(3, LogLevel.Information, "Cut from {Before} to {After} parameters, {Seconds:F1} s.")]
    public static partial void Cut(ILogger logger, long before, long after, double seconds);

    [LoggerMessage(11, LogLevel.Warning, "Left out of '{Folder}': {What}.")]
    public static partial void FilesLeftBehind(ILogger logger, string folder, string what);

    [LoggerMessage(12, LogLevel.Warning, "The blocks in '{Folder}' differ in shape. It is written as model type '{ModelType}' with the sizes of every block in config.json, which only this library reads; other tools cannot load it. The layout Padded (--layout padded) gives a folder that loads anywhere.")]
    public static partial void OnlyReadHere(ILogger logger, string folder, string modelType);

    [LoggerMessage(13, LogLevel.Warning, "{Message}")]
    public static partial void BeyondTrainedLength(ILogger logger, string message);
}
