// Writes a result file under a temporary name and renames it when complete, so that nothing half-written is left.
namespace LlmShearing.Cli;

internal static class OutputFile
{
    /// <summary>A folder to write, checked before any work is done: it is not there yet, or empty, or may be replaced.</summary>
    public static string NewFolder(string folder, bool force)
    {
        if (File.Exists(folder))
            throw new UsageException($"'{folder}' is a file. Give a folder name.");
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any() && !force)
            throw new UsageException($"'{folder}' exists already. Choose another name, or give --force to replace it.");
        return folder;
    }

    public static void Write(string path, Action<TextWriter> write)
    {
        string full = Path.GetFullPath(path);
        if (full.StartsWith("/dev/", StringComparison.Ordinal))
        {
            // A device such as /dev/stdout is written to, not replaced.
            using StreamWriter device = new(full);
            write(device);
            return;
        }

        string temporary = full + ".part";
        try
        {
            using (var writer = new StreamWriter(temporary))
                write(writer);
            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e)
        {
            File.Delete(temporary);
            if (e is DirectoryNotFoundException or UnauthorizedAccessException)
                throw new UsageException($"'{path}' cannot be written: {e.Message}", e);
            throw;
        }
    }
}
