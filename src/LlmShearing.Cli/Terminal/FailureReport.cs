// A failure as users and programs get it: a plain line on standard error, and with --json one object on standard output, too.
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmShearing.Cli.Terminal;

/// <param name="Code">Exit code of the process.</param>
/// <param name="Kind">usage (the command line), input (what it names), failed, or cancelled.</param>
/// <param name="Message">What is wrong and what to do.</param>
internal sealed record FailureReport(int Code, string Kind, string Message)
{
    public const string Usage = "usage", Input = "input", Failed = "failed", Cancelled = "cancelled";

    private static readonly JsonSerializerOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether these arguments ask for JSON: the parser cannot be asked once it has failed.</summary>
    public static bool IsJsonWanted(IEnumerable<string> args) => args.TakeWhile(a => a != "--").Contains("--json");

    /// <summary>The object on standard output.</summary>
    public void WriteJson(Surroundings surroundings)
    {
        var report = new JsonObject { ["error"] = Message, ["kind"] = Kind, ["exit_code"] = Code };
        try
        {
            surroundings.Out.WriteLine(report.ToJsonString(Style));
            surroundings.Out.Flush();
        }
        catch (IOException)
        {
            // Standard output is gone or full, which may be the very failure; standard error has said it.
        }
    }
}
