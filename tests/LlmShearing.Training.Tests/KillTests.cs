using System.Diagnostics;
using LlmShearing.Testing;
using LlmShearing.Testing.Training;

namespace LlmShearing.Training.Tests;

/// <summary>Processes that are killed without warning, as the out-of-memory killer or a power cut to a container does.</summary>
public sealed class KillTests : IDisposable
{
    private const int Steps = 60;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("weights")]
    [InlineData("masks")]
    public void Run_KilledAtTenRandomMoments_EndsAsTheUninterruptedRun(string kind)
    {
        Assert.Equal(0, Start(kind, _folder["whole"], null));
        var random = new Random(12345);
        int kills = 0;
        while (kills < 10)
        {
            // Every third time it is killed while it starts, the others while it trains.
            bool starting = kills % 3 == 2;
            int exit = Start(kind, _folder["killed"], TimeSpan.FromMilliseconds(starting ? random.Next(200, 900) : random.Next(0, 120)), starting);
            Assert.NotEqual(1, exit);
            if (exit == 0)
                break;
            kills++;
        }

        Assert.True(kills >= 5, $"The run ended after {kills} kills; make it longer.");
        Assert.Equal(0, Start(kind, _folder["killed"], null));
        new RunFiles(_folder["killed"]).AssertEquals(new RunFiles(_folder["whole"]), Steps);
        Assert.Equal(new RunFiles(_folder["whole"]).Names(), new RunFiles(_folder["killed"]).Names());
    }

    // Exit code of the run. With a delay, it is killed that long after its first step, or after its start.
    private static int Start(string kind, string folder, TimeSpan? killAfter, bool fromStart = false)
    {
        string program = Path.Combine(AppContext.BaseDirectory.Replace("LlmShearing.Training.Tests", "LlmShearing.TrainingProbe", StringComparison.Ordinal), "LlmShearing.TrainingProbe.dll");
        Assert.True(File.Exists(program), program);
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        using Process process = Process.Start(new ProcessStartInfo(dotnet, [program, folder, $"{Steps}", kind]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (fromStart && !process.WaitForExit(killAfter!.Value))
        {
            process.Kill();
            process.WaitForExit();
            return process.ExitCode;
        }

        string? first = process.StandardOutput.ReadLine();
        Assert.True(first is not null, errors.IsCompleted ? errors.Result : "no output");
        if (killAfter is { } delay && first.StartsWith("step", StringComparison.Ordinal))
        {
            Thread.Sleep(delay);
            process.Kill();
        }

        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode != 1 && !errors.Result.Contains("Exception", StringComparison.Ordinal), errors.Result);
        return process.ExitCode;
    }
}
