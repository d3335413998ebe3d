// Writes a file so that readers see the old content or the new one, never half of it.
namespace LlmShearing.Files;

/// <summary>Writes a file so that readers see the old content or the new one, never half of it. May be used from many threads, for different files.</summary>
public static class AtomicFile
{
    /// <summary>Writes beside <paramref name="path"/> under a temporary name, then renames. The temporary file goes when writing fails.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="sweep">Whether temporary files of killed processes are looked for; false where many files are written into one folder, and it is done once.</param>
    public static void Write(string path, Action<Stream> write, bool sweep = true)
    {
        string full = Path.GetFullPath(path);
        if (full.StartsWith("/dev/", StringComparison.Ordinal) && !full.StartsWith("/dev/shm/", StringComparison.Ordinal))
        {
            // A device such as /dev/stdout is written to; renaming over it would replace it. Files in /dev/shm are files in memory.
            using var device = new FileStream(full, FileMode.Open, FileAccess.Write);
            write(device);
            return;
        }

        string folder = Path.GetDirectoryName(full) ?? throw new IOException($"'{path}' is a folder, not a file.");
        FileSteps.CreateFolder(folder);
        if (sweep)
            Leftovers.Sweep(full);
        string temporary = Leftovers.Beside(full, Guid.NewGuid(), Leftovers.Temporary);
        try
        {
            using FileStream stream = FileSteps.Create(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = Leftovers.Share });
            write(stream);
            stream.Flush(flushToDisk: true);
            // Renamed while it is open: its lock says that it is not left over.
            FileSteps.MoveFile(temporary, full);
        }
        catch
        {
            FileSteps.DeleteFile(temporary);
            throw;
        }
    }
}
