// Log messages of this assembly. Event ids 100-199.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Masks;

internal static partial class MasksLog
{
    [LoggerMessage(100, LogLevel.Information, "Masks of {Kinds}: {Units} units of a model of {Parameters} parameters; wanted: {Wanted}.")]
    public static partial void Made(ILogger logger, string kinds, int units, long parameters, string wanted);

    [LoggerMessage(101, LogLevel.Information, "Masks: sparsity {Sparsity}; {Expected:F0} prunable parameters expected to stay.")]
    public static partial void State(ILogger logger, string sparsity, double expected);

    [LoggerMessage(102, LogLevel.Information, "Masks folded and cut: {Before} -> {After} parameters.")]
    public static partial void Cut(ILogger logger, long before, long after);
}
