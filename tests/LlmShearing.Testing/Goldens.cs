// Where reference data is: a folder named by an environment variable, or the full sets beside the repository, else the compact choice in tests/data.
using System.Runtime.CompilerServices;

namespace LlmShearing.Testing;

/// <summary>Finds reference data.</summary>
public static class Goldens
{
    /// <summary>
    /// Environment variable: the folder that has <c>goldens/</c>, <c>models/</c> and <c>data/</c>, or <see cref="Compact"/>. Where it is set, data comes from there or
    /// from nowhere. Not set: the folder <c>shared</c> beside the repository, and what that lacks from tests/data.
    /// </summary>
    public const string Variable = "SHEARING_TEST_DATA";

    /// <summary>Value of <see cref="Variable"/> that asks for tests/data alone.</summary>
    public const string Compact = "compact";

    /// <summary>Root of the repository.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    private static readonly string[] Roots = RootsFor(Environment.GetEnvironmentVariable(Variable));

    /// <summary>The full path of a golden file or folder, such as "hf/models/llama-gqa", or null when it is absent.</summary>
    public static string? TryPath(string relative) => TryShared(System.IO.Path.Combine("goldens", relative));

    /// <summary>The full path of a golden file or folder that must be there.</summary>
    public static string Path(string relative) =>
        TryPath(relative) ?? throw new FileNotFoundException($"No reference data '{relative}' in {string.Join(" or ", Roots)}.");

    /// <summary>A file or folder beside the goldens, such as "models/demo-llama-2.5m"; null when absent.</summary>
    public static string? TryShared(string relative) => Find(Roots, relative);

    /// <summary>Names of the subfolders of a folder of goldens that hold a file, in order; none when the folder is absent.</summary>
    public static IEnumerable<string> Folders(string relative, string with) => TryPath(relative) is { } folder
        ? Directory.GetDirectories(folder).Where(d => File.Exists(System.IO.Path.Combine(d, with))).Select(d => System.IO.Path.GetFileName(d)).Order(StringComparer.Ordinal)
        : [];

    /// <summary>Folders to look in, for a value of <see cref="Variable"/>.</summary>
    public static string[] RootsFor(string? value)
    {
        string beside = System.IO.Path.GetFullPath(System.IO.Path.Combine(RepositoryRoot, "..", "shared")), compact = System.IO.Path.Combine(RepositoryRoot, "tests", "data");
        if (string.IsNullOrEmpty(value))
            return [beside, compact];
        if (value == Compact)
            return [compact];
        return Directory.Exists(System.IO.Path.Combine(value, "goldens"))
            ? [System.IO.Path.GetFullPath(value)]
            : throw new DirectoryNotFoundException($"{Variable} is '{value}', which has no folder 'goldens'. Name the folder that has it, or '{Compact}' for the choice in tests/data.");
    }

    /// <summary>The first of the folders that has the file or folder.</summary>
    public static string? Find(string[] roots, string relative) =>
        roots.Select(r => System.IO.Path.GetFullPath(System.IO.Path.Combine(r, relative))).FirstOrDefault(p => File.Exists(p) || Directory.Exists(p));

    private static string FindRoot([CallerFilePath] string file = "")
    {
        for (DirectoryInfo? d = new(System.IO.Path.GetDirectoryName(file)!); d is not null; d = d.Parent)
            if (File.Exists(System.IO.Path.Combine(d.FullName, "LlmShearing.sln")))
                return d.FullName;
        throw new DirectoryNotFoundException("The tests must run inside the repository.");
    }
}
