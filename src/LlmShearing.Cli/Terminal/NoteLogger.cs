// Keeps the warnings that the library logs while a verb runs, each once.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Cli;

internal sealed class NoteLogger : ILogger
{
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string message = formatter(state, exception);
        if (IsEnabled(logLevel) && !_warnings.Contains(message))
            _warnings.Add(message);
    }
}
