// Says the warnings that the library logs while a verb runs, each once, and keeps them for --json.
using Microsoft.Extensions.Logging;

namespace LlmShearing.Cli.Terminal;

internal sealed class NoteLogger(Action<string> say) : ILogger
{
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string message = formatter(state, exception);
        if (!IsEnabled(logLevel) || _warnings.Contains(message))
            return;
        _warnings.Add(message);
        say(message);
    }
}
