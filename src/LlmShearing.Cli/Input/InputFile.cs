// Reading user files: whatever cannot be read is the user's input, and the message names the file.
using System.Text;

namespace LlmShearing.Cli;

internal static class InputFile
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static byte[] Bytes(string path) => Reading(path, () => File.ReadAllBytes(path));

    /// <summary>The whole file as UTF-8 text, a byte order mark left out.</summary>
    public static string Text(string path) => Reading(path, () => File.ReadAllText(path, Strict));

    private static T Reading<T>(string path, Func<T> read)
    {
        if (Directory.Exists(path))
            throw new UsageException($"'{path}' is a folder; a file is needed here.");
        try
        {
            LfsPointer.Refuse(path);
            return read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UsageException($"'{path}' does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"'{path}' cannot be read: {e.Message}", e);
        }
        catch (DecoderFallbackException e)
        {
            throw new UsageException($"'{path}' is not UTF-8 text (byte {e.Index}).", e);
        }
    }
}
