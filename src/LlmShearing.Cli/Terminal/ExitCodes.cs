// From an exception to an exit code and one or two plain lines on standard error.
using System.Text.Json;
using LlmShearing.Devices;
using Microsoft.Extensions.Options;

namespace LlmShearing.Cli.Terminal;

internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The work failed: no disk space, no memory, cancelled, a bug.</summary>
    public const int Failed = 1;

    /// <summary>The command line or its input is wrong: changing that helps.</summary>
    public const int BadInput = 2;

    /// <summary>Runs <paramref name="work"/>; prints what went wrong, if anything.</summary>
    /// <param name="surroundings">Where to print.</param>
    /// <param name="progress">Its line is taken away first.</param>
    /// <param name="json">Asked after a failure: whether it is told as JSON, too.</param>
    /// <param name="work">The work.</param>
    public static int Guard(Surroundings surroundings, ProgressPrinter progress, Func<bool> json, Action work)
    {
        try
        {
            work();
            progress.Clear();
            return Ok;
        }
        catch (Exception e)
        {
            progress.Clear();
            FailureReport failure = Explain(e);
            surroundings.Error.WriteLine("shear: " + failure.Message);
            if (surroundings.Debug)
                surroundings.Error.WriteLine(e);
            else if (failure.Code == Failed && e is not (OperationCanceledException or IOException or ShearingException))
                surroundings.Error.WriteLine("Set SHEAR_DEBUG=1 to see where it happened.");
            if (json())
                failure.WriteJson(surroundings);
            return failure.Code;
        }
    }

    private static FailureReport Explain(Exception e) => e switch
    {
        OperationCanceledException => new(Failed, FailureReport.Cancelled, "cancelled"),
        TorchUnavailableException => new(Failed, FailureReport.Failed, e.Message),
        UsageException => new(BadInput, FailureReport.Usage, e.Message),
        // A full or broken disk is no mistake of the user's; a missing file (a subclass of IOException) is.
        ShearingException { InnerException: IOException io } when io.GetType() == typeof(IOException) && !IsOfThePath(io) => new(Failed, FailureReport.Failed, e.Message),
        ShearingException or OptionsValidationException => new(BadInput, FailureReport.Input, e.Message),
        FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException or JsonException => new(BadInput, FailureReport.Input, e.Message),
        IOException io when IsOfThePath(io) => new(BadInput, FailureReport.Input, e.Message),
        IOException => new(Failed, FailureReport.Failed, e.Message),
        OutOfMemoryException => new(Failed, FailureReport.Failed, "there is not enough memory. Try --stream, a smaller --batch-size, or shorter sequences."),
        AggregateException { InnerException: { } inner } => Explain(inner),
        TypeInitializationException { InnerException: { } inner } => Explain(inner),
        DllNotFoundException => new(Failed, FailureReport.Failed, "the native torch library cannot be loaded: " + e.Message),
        _ => new(Failed, FailureReport.Failed, $"{e.GetType().Name}: {e.Message}"),
    };

    // A folder where a file is expected, or links that lead to each other: the numbers of EISDIR, and of ELOOP on Linux and macOS.
    private static bool IsOfThePath(IOException e) => !OperatingSystem.IsWindows() && e.HResult is (21 or 40 or 62);
}
