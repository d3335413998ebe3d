// Log messages of this assembly. Event ids 1-99.
using Microsoft.Extensions.Logging;

namespace LlmShearing;

internal static partial class CoreLog
{
    [LoggerMessage(1, LogLevel.Information, "Plan by {Strategy} on {Scorer}: {Before} -> {After} parameters, {Layers} blocks, {Seconds:F1} s.")]
    public static partial void PlanCreated(ILogger logger, string strategy, string scorer, long before, long after, int layers, double seconds);
}
