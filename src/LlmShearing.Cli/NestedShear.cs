// A verb run inside another, by the same command line that a user would type.
using System.Text.Json;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;

namespace LlmShearing.Cli;

internal static class NestedShear
{
    /// <summary>Runs a verb and gives its JSON result. Its progress is shown as that of the outer verb; its notes are not.</summary>
    /// <exception cref="UsageException">It ended with another code than 0; the message has its command line and its error.</exception>
    public static JsonElement Run(Invocation outer, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var inner = new Surroundings { Out = output, Error = error, Time = outer.Surroundings.Time, OuterProgress = outer.Progress };
        int code = ShearCommandLine.RunAsync([.. args, "--json", "--quiet"], inner, outer.Cancellation).GetAwaiter().GetResult();
        if (code != ExitCodes.Ok)
        {
            outer.Cancellation.ThrowIfCancellationRequested();
            throw new UsageException($"'shear {string.Join(' ', args)}' ended with {code}: {error}");
        }

        return SafeJson.Element(output.ToString());
    }
}
