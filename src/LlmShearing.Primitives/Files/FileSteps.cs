// The calls that create, rename or remove files and folders. Writers go through here, so that a test can stop the world before and after each.
namespace LlmShearing.Files;

/// <summary>The calls that create, rename or remove files and folders. The library's writers go through here. They throw what the system's own calls throw.</summary>
public static class FileSteps
{
    /// <summary>Called before and after each step, with its name and path; for tests, which throw here.</summary>
    internal static Action<string, string>? Watch { get; set; }

    /// <summary>Whether the system's call to exchange folders is used; tests turn it off.</summary>
    internal static bool Exchanges { get; set; } = true;

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How.</param>
    /// <returns>The open file.</returns>
    public static FileStream Create(string path, FileStreamOptions options) => Step("create", path, () => new FileStream(path, options));

    /// <summary>Creates a folder, and those that it lies in, where it is not there yet.</summary>
    /// <param name="path">The folder.</param>
    public static void CreateFolder(string path)
    {
        if (!Directory.Exists(path))
            Step("mkdir", path, () => Directory.CreateDirectory(path));
    }

    /// <summary>Copies a file; the target must not exist.</summary>
    /// <param name="from">The file.</param>
    /// <param name="to">Its copy.</param>
    public static void CopyFile(string from, string to) => Step("create", to, () => File.Copy(from, to));

    /// <summary>Renames a file, over one that is there.</summary>
    /// <param name="from">Its name.</param>
    /// <param name="to">Its new name.</param>
    public static void MoveFile(string from, string to) => Step("rename", to, () => File.Move(from, to, overwrite: true));

    /// <summary>Renames a folder; the target must not exist.</summary>
    /// <param name="from">Its name.</param>
    /// <param name="to">Its new name.</param>
    public static void MoveFolder(string from, string to) => Step("rename", to, () => Directory.Move(from, to));

    /// <summary>Exchanges two folders in one call of the system.</summary>
    /// <returns>False when the system or the file system has no such call; nothing is changed then.</returns>
    public static bool TryExchange(string a, string b) => Exchanges && Step("exchange", b, () => FolderExchange.Try(a, b));

    /// <summary>Deletes a file, if it is there.</summary>
    /// <param name="path">The file.</param>
    public static void DeleteFile(string path)
    {
        if (File.Exists(path))
            Step("unlink", path, () => File.Delete(path));
    }

    /// <summary>Deletes a folder and all that is in it, one entry after the other; links are removed, not followed, and so is the folder itself when it is one.</summary>
    public static void DeleteFolder(string path)
    {
        if (FileFacts.IsLink(path))
        {
            Step("unlink", path, () => Directory.Delete(path));
            return;
        }

        foreach (FileSystemInfo entry in new DirectoryInfo(path).GetFileSystemInfos())
        {
            if (entry is DirectoryInfo && entry.LinkTarget is null)
                DeleteFolder(entry.FullName);
            else
                Step("unlink", entry.FullName, entry.Delete);
        }

        Step("rmdir", path, () => Directory.Delete(path));
    }

    private static void Step(string name, string path, Action call) => Step(name, path, () =>
    {
        call();
        return true;
    });

    private static T Step<T>(string name, string path, Func<T> call)
    {
        if (Watch is not { } watch)
            return call();
        watch("before " + name, path);
        T result = call();
        try
        {
            watch("after " + name, path);
        }
        catch
        {
            (result as IDisposable)?.Dispose();
            throw;
        }

        return result;
    }
}
