// Runs the tool in this process. Bad input comes out as our exception, as from the library; anything but that and success is a fault.
using LlmShearing.Cli;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Fuzz.Tests;

internal static class Tool
{
    /// <summary>Runs a command line.</summary>
    /// <exception cref="UsageException">Exit code 2: the tool has refused its input.</exception>
    /// <exception cref="InvalidOperationException">Another exit code, or a message that is no message for users.</exception>
    public static void Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = ShearCommandLine.RunAsync(args, new Surroundings { Out = output, Error = error, Time = TimeProvider.System }, CancellationToken.None).GetAwaiter().GetResult();
        string said = error.ToString();
        if (code is not (ExitCodes.Ok or ExitCodes.BadInput) || Array.Exists(["   at ", "Exception", "SHEAR_DEBUG"], said.Contains))
            throw new InvalidOperationException($"exit code {code}: {said}");
        if (code == ExitCodes.BadInput)
            throw new UsageException(said);
    }
}
