// Writes a file so that readers see the old content or the new one, never half of it.
namespace LlmShearing;

internal static class AtomicFile
{
    /// <summary>Writes beside <paramref name="path"/> under a temporary name, then renames. The temporary file goes when writing fails.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path);
        if (full.StartsWith("/dev/", StringComparison.Ordinal))
        {
            // A device such as /dev/stdout is written to; renaming over it would replace it.
            using var device = new FileStream(full, FileMode.Open, FileAccess.Write);
            write(device);
            return;
        }

        string folder = Path.GetDirectoryName(full) ?? throw new IOException($"'{path}' is a folder, not a file.");
        Directory.CreateDirectory(folder);
        string temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, full, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
