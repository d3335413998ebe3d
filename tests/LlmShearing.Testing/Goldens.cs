// Where reference data is: the full sets beside the repository when they are there, else the compact choice in tests/data.
using System.Runtime.CompilerServices;

namespace LlmShearing.Testing;

/// <summary>Finds reference data.</summary>
public static class Goldens
{
    /// <summary>Root of the repository.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The full path of a golden file or folder, such as "hf/models/llama-gqa", or null when it is in neither place.</summary>
    public static string? TryPath(string relative) => First(
        System.IO.Path.Combine(RepositoryRoot, "..", "shared", "goldens", relative),
        System.IO.Path.Combine(RepositoryRoot, "tests", "data", "goldens", relative));

    /// <summary>The full path of a golden file or folder that must be there.</summary>
    public static string Path(string relative) =>
        TryPath(relative) ?? throw new FileNotFoundException($"No reference data '{relative}'.");

    /// <summary>A file or folder of ../shared, such as "models/demo-llama-2.5m", or its copy in tests/data; null when absent.</summary>
    public static string? TryShared(string relative) => First(
        System.IO.Path.Combine(RepositoryRoot, "..", "shared", relative),
        System.IO.Path.Combine(RepositoryRoot, "tests", "data", relative));

    private static string? First(params string[] candidates) =>
        candidates.Select(System.IO.Path.GetFullPath).FirstOrDefault(p => File.Exists(p) || Directory.Exists(p));

    private static string FindRoot([CallerFilePath] string file = "")
    {
        for (DirectoryInfo? d = new(System.IO.Path.GetDirectoryName(file)!); d is not null; d = d.Parent)
            if (File.Exists(System.IO.Path.Combine(d.FullName, "LlmShearing.sln")))
                return d.FullName;
        throw new DirectoryNotFoundException("The tests must run inside the repository.");
    }
}
