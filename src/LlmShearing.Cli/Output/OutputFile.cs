// Writes a result file under a temporary name and renames it when complete, so that nothing half-written is left.
using LlmShearing.Cli.Terminal;
using LlmShearing.Files;

namespace LlmShearing.Cli.Output;

internal static class OutputFile
{
    public static void Write(string path, Action<TextWriter> write)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            throw new UsageException($"'{path}' cannot be written: there is no folder '{folder}'.");
        if (Directory.Exists(path))
            throw new UsageException($"'{path}' cannot be written: it is a folder. Name a file, or remove the folder if it is not needed.");
        try
        {
            AtomicFile.Write(path, stream =>
            {
                using var writer = new StreamWriter(stream, leaveOpen: true);
                write(writer);
            });
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UsageException($"'{path}' cannot be written: {e.Message}", e);
        }
    }
}
