// A real model for the slow tests: unpacked once from the test data into artifacts/, which needs node.
using System.Diagnostics;
using Xunit;

namespace LlmShearing.Testing;

/// <summary>SmolLM2-135M-Instruct as a Hugging Face folder (bfloat16 weights).</summary>
public static class SmolLm2
{
    private static readonly Lazy<string> Unpacked = new(Unpack);

    /// <summary>Why the model cannot be had, or null when it can.</summary>
    public static string? Missing { get; } = FindMissing();

    /// <summary>The folder; the first call may unpack it (about ten seconds, 270 MB).</summary>
    public static string Folder() => Unpacked.Value;

    private static string? Tool => Goldens.TryShared("tools/unpack-smollm2.mjs");

    private static string Cache => Path.Combine(Goldens.RepositoryRoot, "artifacts", "smollm2");

    private static string? FindMissing()
    {
        if (File.Exists(Path.Combine(Cache, "complete")))
            return null;
        if (Goldens.TryShared("models/smollm2-135m-instruct") is null || Tool is null)
            return "SmolLM2 absent: models/smollm2-135m-instruct and tools/unpack-smollm2.mjs beside the goldens are needed.";
        bool node = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(p => File.Exists(Path.Combine(p, OperatingSystem.IsWindows() ? "node.exe" : "node")));
        return node ? null : "SmolLM2 absent: node is needed to unpack it.";
    }

    // Several test processes may come here at once: each unpacks for itself, the first to finish is used.
    private static string Unpack()
    {
        if (Missing is { } reason)
            throw new InvalidOperationException(reason);
        if (File.Exists(Path.Combine(Cache, "complete")))
            return Cache;
        string temporary = Cache + "." + Environment.ProcessId;
        Directory.CreateDirectory(temporary);
        using Process process = Process.Start(new ProcessStartInfo("node", [Tool!, temporary]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"Unpacking SmolLM2 failed: {errors}{output.Result}");
        File.WriteAllText(Path.Combine(temporary, "complete"), "");
        try
        {
            Directory.Move(temporary, Cache);
        }
        catch (IOException) when (File.Exists(Path.Combine(Cache, "complete")))
        {
            Directory.Delete(temporary, recursive: true);
        }

        return Cache;
    }
}

/// <summary>A fact that needs SmolLM2; skipped with the reason when it cannot be had.</summary>
public sealed class SmolLm2FactAttribute : FactAttribute
{
    /// <param name="required">Golden files that are needed too.</param>
    public SmolLm2FactAttribute(params string[] required) => Skip = SmolLm2.Missing ?? GoldenRequirement.Missing(required);
}

/// <summary>A theory that needs SmolLM2; skipped with the reason when it cannot be had.</summary>
public sealed class SmolLm2TheoryAttribute : TheoryAttribute
{
    /// <param name="required">Golden files that are needed too.</param>
    public SmolLm2TheoryAttribute(params string[] required) => Skip = SmolLm2.Missing ?? GoldenRequirement.Missing(required);
}
