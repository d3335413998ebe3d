// The command line as a process of its own, which the system kills: nothing of it can tidy up.
using System.Diagnostics;

namespace LlmShearing.Cli.Tests;

internal static class KilledProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Starts a command line and kills it as soon as the condition holds.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="when">Looked at every millisecond.</param>
    /// <returns>The exit code; 0 when the command was through before.</returns>
    public static int Run(string[] args, Func<bool> when)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] line = [typeof(ShearCommandLine).Assembly.Location, .. args];
        var start = new ProcessStartInfo(dotnet, line) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        var clock = Stopwatch.StartNew();
        while (!process.HasExited && !when() && clock.Elapsed < Patience)
            Thread.Sleep(1);
        bool met = when();
        process.Kill();
        process.WaitForExit();
        Assert.True(met, $"what it was to be killed at never came. It said: {output.Result} {errors.Result}");
        return process.ExitCode;
    }
}
