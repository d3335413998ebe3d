using Spectre.Console;

namespace LlmShearing.Cli.Output;

internal static class ConsoleLines
{
    /// <summary>A line as it is: not wrapped at the console's width, no markup.</summary>
    public static void Line(this IAnsiConsole console, string text = "") => console.Profile.Out.Writer.WriteLine(text);
}
