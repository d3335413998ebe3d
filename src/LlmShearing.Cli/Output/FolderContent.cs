// Whether two folders hold the same files, byte for byte.
namespace LlmShearing.Cli.Output;

internal static class FolderContent
{
    private const int BufferBytes = 1 << 20;

    /// <summary>The first difference in words; null when there is none.</summary>
    public static string? Difference(string there, string made)
    {
        SortedDictionary<string, string> a = Files(there), b = Files(made);
        if (b.Keys.FirstOrDefault(name => !a.ContainsKey(name)) is { } missing)
            return $"{missing} is missing";
        if (a.Keys.FirstOrDefault(name => !b.ContainsKey(name)) is { } extra)
            return $"{extra} is no part of it";
        return b.FirstOrDefault(f => !Same(a[f.Key], f.Value)) is { Key: { } other } ? $"{other} differs" : null;
    }

    private static SortedDictionary<string, string> Files(string folder) =>
        new(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(folder, f)), StringComparer.Ordinal);

    private static bool Same(string one, string other)
    {
        using var a = new FileStream(one, FileMode.Open, FileAccess.Read, FileShare.Read, 0);
        using var b = new FileStream(other, FileMode.Open, FileAccess.Read, FileShare.Read, 0);
        if (a.Length != b.Length)
            return false;
        byte[] left = new byte[BufferBytes], right = new byte[BufferBytes];
        while (true)
        {
            int n = a.ReadAtLeast(left, left.Length, throwOnEndOfStream: false);
            if (b.ReadAtLeast(right, right.Length, throwOnEndOfStream: false) != n || !left.AsSpan(0, n).SequenceEqual(right.AsSpan(0, n)))
                return false;
            if (n < left.Length)
                return true;
        }
    }
}
