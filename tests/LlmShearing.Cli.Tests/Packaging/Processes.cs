// Programs that the packaging tests start: the SDK's command line, and what it built.
using System.Diagnostics;

namespace LlmShearing.Cli.Tests.Packaging;

internal static class Processes
{
    public static ShearResult Run(string folder, IReadOnlyDictionary<string, string> environment, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        foreach (string name in start.Environment.Keys.Where(n => n.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            start.Environment.Remove(name);   // the test run's own SDK process leaves them behind
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new ShearResult(process.ExitCode, output, errors.Result);
    }

    /// <summary>Runs the SDK's command line and expects success; gives what it printed.</summary>
    public static string Dotnet(string folder, params string[] arguments)
    {
        ShearResult result = Run(folder, new Dictionary<string, string>(), "dotnet", [.. arguments, "-p:UseSharedCompilation=false", "-nodeReuse:false"]);
        Assert.True(result.Code == 0, $"dotnet {string.Join(' ', arguments)} ended with {result.Code}:\n{result.Out}\n{result.Error}");
        return result.Out;
    }
}
