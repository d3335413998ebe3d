// Reading user files: whatever cannot be read is the user's input, and the message names the file.
using System.Text;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Corpus;
using LlmShearing.Files;

namespace LlmShearing.Cli.Input;

internal static class InputFile
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static byte[] Bytes(string path) => Reading(path, () => File.ReadAllBytes(path));

    /// <summary>The whole file as UTF-8 text, decompressed when its name ends in .gz or .zst, a byte order mark left out.</summary>
    public static string Text(string path) => Reading(path, () =>
    {
        if (!File.Exists(path) && !Path.Exists(path))
            throw new FileNotFoundException();
        using var reader = new StreamReader(CorpusFile.OpenRead(path), Strict);
        return reader.ReadToEnd();
    });

    /// <summary>Refuses what is no file, does not exist or is a pointer to a file elsewhere.</summary>
    public static void EnsureReadable(string path) => Reading(path, () => Path.Exists(path) ? true : throw new FileNotFoundException());

    private static T Reading<T>(string path, Func<T> read)
    {
        if (Directory.Exists(path))
            throw new UsageException($"'{path}' is a folder; a file is needed here.");
        try
        {
            if (LfsPointer.ProblemOf(path) is { } pointer)
                throw new UsageException(pointer);
            return read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UsageException($"'{path}' does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UsageException($"'{path}' cannot be read: {e.Message}", e);
        }
        catch (DecoderFallbackException e)
        {
            throw new UsageException($"'{path}' is not UTF-8 text (byte {e.Index}).", e);
        }
    }
}
