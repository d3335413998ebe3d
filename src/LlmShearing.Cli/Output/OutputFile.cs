// Writes a result file under a temporary name and renames it when complete, so that nothing half-written is left.
namespace LlmShearing.Cli;

internal static class OutputFile
{
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
