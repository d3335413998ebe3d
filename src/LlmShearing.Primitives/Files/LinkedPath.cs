// The real path of a file or folder: every link on the way, and the last one, is followed.
namespace LlmShearing.Files;

/// <summary>Where a path leads when its symbolic links are followed.</summary>
public static class LinkedPath
{
    private const int MostLinks = 40;

    /// <summary>The path without links; as far as it can be followed where a link leads to nothing.</summary>
    public static string Of(string path)
    {
        string result = Path.GetPathRoot(Path.GetFullPath(path))!;
        int links = 0;
        var parts = new Stack<string>(Parts(Path.GetFullPath(path)).Reverse());
        while (parts.TryPop(out string? part))
        {
            string next = Path.Combine(result, part);
            string? target = new FileInfo(next).LinkTarget;
            if (target is null || ++links > MostLinks)
            {
                result = next;
                continue;
            }

            // A link's target is relative to the folder that holds the link, whose own links are followed already.
            string full = Path.GetFullPath(target, result);
            result = Path.GetPathRoot(full)!;
            foreach (string inner in Parts(full).Reverse())
                parts.Push(inner);
        }

        return result;
    }

    private static string[] Parts(string full) => full[Path.GetPathRoot(full)!.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
}
