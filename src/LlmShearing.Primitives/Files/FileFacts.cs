// Size and time of a file as whoever reads it finds them: of what a symbolic link leads to, not of the link, which is what FileInfo tells.
namespace LlmShearing.Files;

/// <summary>Size and time of a file as whoever reads it finds them: of what a symbolic link leads to, not of the link.</summary>
public static class FileFacts
{
    /// <summary>Bytes of the file.</summary>
    /// <exception cref="IOException">It is not there, or a link leads nowhere.</exception>
    /// <exception cref="UnauthorizedAccessException">It is a folder or may not be read.</exception>
    public static long Length(string path) => Of(path).Length;

    /// <summary>Bytes of the file and when it was last written.</summary>
    /// <exception cref="IOException">It is not there, or a link leads nowhere.</exception>
    /// <exception cref="UnauthorizedAccessException">It is a folder or may not be read.</exception>
    public static (long Length, DateTime ModifiedUtc) Of(string path)
    {
        // Not by opening it where that can be avoided: a pipe waits for its writer, and what another process writes is locked.
        var file = new FileInfo(LinkedPath.Of(path));
        return file.Exists ? (file.Length, file.LastWriteTimeUtc) : OfOpened(path);
    }

    // Links that only the system can follow, such as those to pipes in /dev/fd; for the rest, the system's own exceptions.
    private static (long Length, DateTime ModifiedUtc) OfOpened(string path)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return (RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file));
    }

    /// <summary>Whether a symbolic link stands there, wherever it leads.</summary>
    public static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;
}
