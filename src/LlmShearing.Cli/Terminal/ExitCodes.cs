// From an exception to an exit code and one or two plain lines on standard error.
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace LlmShearing.Cli;

internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The work failed: no disk space, no memory, cancelled, a bug.</summary>
    public const int Failed = 1;

    /// <summary>The command line or its input is wrong: changing that helps.</summary>
    public const int BadInput = 2;

    /// <summary>Runs <paramref name="work"/>; prints what went wrong, if anything.</summary>
    public static int Guard(Surroundings surroundings, ProgressPrinter progress, Action work)
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
            (int code, string message) = Explain(e);
            surroundings.Error.WriteLine("shear: " + message);
            if (surroundings.Debug)
                surroundings.Error.WriteLine(e);
            else if (code == Failed && e is not (OperationCanceledException or IOException or ShearingException))
                surroundings.Error.WriteLine("Set SHEAR_DEBUG=1 to see where it happened.");
            return code;
        }
    }

    private static (int Code, string Message) Explain(Exception e) => e switch
    {
        OperationCanceledException => (Failed, "cancelled"),
        TorchUnavailableException => (Failed, e.Message),
        UsageException => (BadInput, e.Message),
        // A full or broken disk is no mistake of the user's; a missing file (a subclass of IOException) is.
        ShearingException { InnerException: IOException io } when io.GetType() == typeof(IOException) => (Failed, e.Message),
        ShearingException or OptionsValidationException => (BadInput, e.Message),
        FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException or JsonException => (BadInput, e.Message),
        IOException => (Failed, e.Message),
        OutOfMemoryException => (Failed, "there is not enough memory. Try --stream, a smaller --batch-size, or shorter sequences."),
        AggregateException { InnerException: { } inner } => Explain(inner),
        TypeInitializationException { InnerException: { } inner } => Explain(inner),
        DllNotFoundException => (Failed, "the native torch library cannot be loaded: " + e.Message),
        _ => (Failed, $"{e.GetType().Name}: {e.Message}"),
    };
}
