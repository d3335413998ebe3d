// What the command line touches outside itself: where it writes, and whether a person is watching. Injected, so that tests run verbs in process.
using Spectre.Console;

namespace LlmShearing.Cli.Terminal;

/// <summary>Output, errors, time and the user's Ctrl-C.</summary>
internal sealed class Surroundings
{
    // Wide enough that tables written to a file do not wrap.
    private const int WidthWithoutTerminal = 160;

    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Whether standard output is a terminal: colours are allowed.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Whether standard error is a terminal: progress may redraw its line.</summary>
    public bool ErrorIsTerminal { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Receives the progress of a verb that runs inside another; null for one that a user started.</summary>
    public IProgress<ShearingProgress>? OuterProgress { get; init; }

    /// <summary>Whether stack traces are wanted.</summary>
    public bool Debug { get; init; }

    public static Surroundings OfProcess() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        OutIsTerminal = !Console.IsOutputRedirected,
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Debug = Environment.GetEnvironmentVariable("SHEAR_DEBUG") is "1",
    };

    /// <summary>A console for tables on standard output.</summary>
    public IAnsiConsole CreateConsole()
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = OutIsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            Interactive = InteractionSupport.No,
        });
        if (!OutIsTerminal)
            console.Profile.Width = WidthWithoutTerminal;
        return console;
    }
}
