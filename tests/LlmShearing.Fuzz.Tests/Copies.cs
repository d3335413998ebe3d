// Copies of files and folders; links stay links.
namespace LlmShearing.Fuzz.Tests;

internal static class Copies
{
    /// <summary>Whether there is a file, and no link.</summary>
    public static bool IsFile(string path) => new FileInfo(path).LinkTarget is null && System.IO.File.Exists(path);

    /// <summary>Removes a file, a link (not what it leads to) or a folder, if there is one.</summary>
    public static void Remove(string path)
    {
        if (new FileInfo(path).LinkTarget is not null || System.IO.File.Exists(path))
            System.IO.File.Delete(path);
        else if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }

    /// <summary>Copies a file, a link, a folder or nothing over what is there.</summary>
    public static void File(string from, string to)
    {
        Remove(to);
        if (new FileInfo(from).LinkTarget is { } target)
            System.IO.File.CreateSymbolicLink(to, target);
        else if (Directory.Exists(from))
            Folder(from, to);
        else if (System.IO.File.Exists(from))
            System.IO.File.Copy(from, to);
    }

    /// <summary>Copies a folder with all that is in it.</summary>
    public static void Folder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string entry in Directory.GetFileSystemEntries(from))
            File(entry, Path.Combine(to, Path.GetFileName(entry)));
    }
}
