// Tells the small text files that Git LFS leaves in place of large ones, so that every reader can say what they are.
namespace LlmShearing.Files;

/// <summary>Tells the small text files that Git LFS leaves in place of large ones.</summary>
public static class LfsPointer
{
    /// <summary>Bytes of a file's beginning that are enough to know a pointer.</summary>
    public const int HeadBytes = 200;

    // A pointer is at most this long; anything larger is content.
    private const long LongestPointer = 1024;

    private static ReadOnlySpan<byte> Mark => "version https://git-lfs.github.com/spec/"u8;

    private static ReadOnlySpan<byte> OldMark => "version https://hawser.github.com/spec/"u8;

    /// <summary>Whether a file begins as a pointer does.</summary>
    /// <param name="head">The first bytes of the file.</param>
    public static bool Is(ReadOnlySpan<byte> head) => head.StartsWith(Mark) || head.StartsWith(OldMark);

    /// <summary>What to tell the user when this file is a pointer; null when it is none or cannot be read, which its reader will say better.</summary>
    public static string? ProblemOf(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (!stream.CanSeek || stream.Length > LongestPointer)
                return null;
            byte[] head = new byte[HeadBytes];
            int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            return Is(head.AsSpan(0, read)) ? Message(path, head.AsSpan(0, read)) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>To be called where a file is opened: its reader turns the exception into its own.</summary>
    /// <exception cref="FileNotFoundException">The file is a pointer: what it stands for is not there.</exception>
    public static void Refuse(string path)
    {
        if (ProblemOf(path) is { } problem)
            throw new FileNotFoundException(problem, path);
    }

    /// <summary>The message for a file that is a pointer.</summary>
    public static string Message(string path, ReadOnlySpan<byte> head)
    {
        string? size = System.Text.Encoding.ASCII.GetString(head).Split('\n').FirstOrDefault(l => l.StartsWith("size ", StringComparison.Ordinal))?[5..].Trim();
        string real = long.TryParse(size, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long bytes) ? $" of {bytes} bytes" : "";
        return $"'{path}' is a Git LFS pointer: it stands for a file{real} that was not downloaded. Run 'git lfs pull' in its folder, or download the file itself.";
    }
}
