// Which text files a corpus has, and to which domain each belongs.
namespace LlmShearing.Data.Corpus;

/// <summary>The text files of one domain.</summary>
/// <param name="Name">Name of the domain; becomes the name of its output folder.</param>
/// <param name="Root">Folder that the files' names are relative to.</param>
/// <param name="Files">Paths relative to the root, with forward slashes, in the order they are encoded.</param>
public sealed record CorpusDomain(string Name, string Root, IReadOnlyList<string> Files)
{
    private static readonly string[] TextExtensions = [".jsonl", ".ndjson", ".json", ".txt", ".text", ".md"];
    private static readonly string[] CompressedExtensions = [".gz", ".zst", ".zstd"];

    /// <summary>
    /// The domains of a file or folder. A file is a domain of its own, named without its extensions. A folder whose subfolders have text is one domain for each of
    /// them; a folder with text files of its own is one domain. Folders are searched to any depth, hidden files left out; files are ordered by name (ordinal).
    /// </summary>
    /// <param name="path">A file, or a folder with .jsonl, .ndjson, .json (one JSON object a line), .txt, .text or .md files (one document each), plain or compressed (.gz, .zst).</param>
    /// <returns>At least one domain.</returns>
    /// <exception cref="TokenDataException">Nothing is there, it cannot be read, or files and subfolders stand side by side.</exception>
    public static IReadOnlyList<CorpusDomain> Discover(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            return [Of(Stem(path), path)];
        return Reading(path, () =>
        {
            string[] own = [.. Directory.EnumerateFiles(path).Where(IsText)];
            string[] subfolders = [.. Directory.EnumerateDirectories(path).Where(d => !IsHidden(d) && TextFiles(d).Any()).Order(StringComparer.Ordinal)];
            return (own.Length, subfolders.Length) switch
            {
                (0, 0) => throw Nothing(path),
                (0, _) => (IReadOnlyList<CorpusDomain>)[.. subfolders.Select(d => Of(Path.GetFileName(d), d))],
                (_, 0) => [Of(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))), path)],
                _ => throw new TokenDataException($"'{path}' has text files ({Path.GetFileName(own[0])}) beside subfolders with text ({Path.GetFileName(subfolders[0])}), so that domains are not clear. Name them: NAME=PATH for each."),
            };
        });
    }

    /// <summary>One domain with a name of its own: a file, or every text file below a folder.</summary>
    /// <param name="name">Name of the domain.</param>
    /// <param name="path">A file or folder.</param>
    /// <returns>The domain.</returns>
    /// <exception cref="TokenDataException">Nothing is there, or it cannot be read.</exception>
    public static CorpusDomain Of(string name, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            return new CorpusDomain(name, Path.GetDirectoryName(Path.GetFullPath(path))!, [Path.GetFileName(path)]);
        return Reading(path, () =>
        {
            string[] files = [.. TextFiles(path).Select(f => Path.GetRelativePath(path, f).Replace('\\', '/')).Order(StringComparer.Ordinal)];
            return files.Length > 0 ? new CorpusDomain(name, path, files) : throw Nothing(path);
        });
    }

    /// <summary>Whether a file holds one JSON object a line, as against one text.</summary>
    internal static bool IsJsonLines(string file) =>
        Path.GetExtension(WithoutCompression(file)).ToUpperInvariant() is ".JSONL" or ".NDJSON" or ".JSON";

    private static IEnumerable<string> TextFiles(string folder) =>
        Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = false, AttributesToSkip = FileAttributes.Hidden }).Where(IsText);

    /// <summary>Whether a file's name says that it is text.</summary>
    internal static bool IsText(string path) =>
        !IsHidden(path) && TextExtensions.Contains(Path.GetExtension(WithoutCompression(path)), StringComparer.OrdinalIgnoreCase);

    private static bool IsHidden(string path) => Path.GetFileName(path).StartsWith('.');

    private static string WithoutCompression(string path) =>
        CompressedExtensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase) ? Path.ChangeExtension(path, null) : path;

    private static string Stem(string path) => Path.GetFileNameWithoutExtension(WithoutCompression(path));

    private static TokenDataException Nothing(string path) =>
        new($"'{path}' has no text files ({string.Join(" ", TextExtensions)}, also with {string.Join(" or ", CompressedExtensions)}).");

    private static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return Directory.Exists(path) ? read() : throw new TokenDataException($"'{path}' does not exist. Give a text file or a folder of them.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"'{path}' cannot be read: {e.Message}", e);
        }
    }
}
