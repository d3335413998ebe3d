// Log messages of this assembly. Event ids 1-99.
using Microsoft.Extensions.Logging;

namespace LlmShearing;

internal static partial class CoreLog
{
    [LoggerMessage(1, LogLevel.Information, "Plan by {Strategy} on {Scorer}: {Before} -> {After} parameters, {Layers} blocks, {Seconds:F1} s.")]
    public static partial void PlanCreated(ILogger logger, string strategy, string scorer, long before, long after, int layers, double seconds);

    [LoggerMessage(2, LogLevel.Information, "Perplexity {Perplexity:G6} on {Tokens} tokens, {Parameters} parameters, {Seconds:F1} s.")]
    public static partial void Evaluated(ILogger logger, double perplexity, long tokens, long parameters, double seconds);

    [LoggerMessage(3, LogLevel.Information, "Cut from {Before} to {After} parameters, {Seconds:F1} s.")]
    public static partial void Cut(ILogger logger, long before, long after, double seconds);
}
