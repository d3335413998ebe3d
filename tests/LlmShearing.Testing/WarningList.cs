// Collects what a library logs as a warning.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Testing;

public sealed class WarningList : List<string>, ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (logLevel == LogLevel.Warning)
            Add(formatter(state, exception));
    }
}
