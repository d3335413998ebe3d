// Log messages of this assembly. Event ids 300-399.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Lora;

internal static partial class LoraLog
{
    [LoggerMessage(300, LogLevel.Information, "Adapters on {Modules} projections: {Trainable} trainable parameters beside {Base} of the model.")]
    public static partial void Attached(ILogger logger, int modules, long trainable, long @base);
}
