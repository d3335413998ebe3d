// "Did you mean": the known name that is nearest to what was written.
namespace LlmShearing.Support;

/// <summary>"Did you mean": the known name that is nearest to what was written.</summary>
public static class Suggestion
{
    // Longer texts are no slips of the hand, and comparing them is not free.
    private const int MaxLength = 64;

    /// <summary>" Did you mean 'x'?", or nothing when no name is near.</summary>
    public static string Text(string written, IEnumerable<string> known) => Nearest(written, known) is { } name ? $" Did you mean '{name}'?" : "";

    /// <summary>The name with the fewest letters added, left out, replaced or swapped, at most one in three; failing that, one that begins the other. The first of equals.</summary>
    public static string? Nearest(string written, IEnumerable<string> known)
    {
        string wanted = Plain(written);
        if (wanted.Length is 0 or > MaxLength)
            return null;
        (string Name, int Distance)[] all = [.. known.Where(n => n.Length <= MaxLength).Select(n => (n, Distance(wanted, Plain(n))))];
        (string? name, int distance) = all.Length == 0 ? (null, int.MaxValue) : all.MinBy(n => n.Distance);
        if (name is not null && distance <= Math.Max(1, Math.Max(wanted.Length, Plain(name).Length) / 3) && distance < wanted.Length)
            return name;
        return wanted.Length < 3 ? null : all.Select(n => n.Name).FirstOrDefault(n => Begins(Plain(n), wanted));
    }

    /// <summary>Lower case, dashes for underscores, none in front.</summary>
    public static string Plain(string name) => name.ToLowerInvariant().Replace('_', '-').TrimStart('-');

    private static bool Begins(string a, string b) => a.Length >= 3 && (a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal));

    // Optimal string alignment: three rows of the table are enough.
    private static int Distance(string a, string b)
    {
        int[] before = new int[b.Length + 1], last = [.. Enumerable.Range(0, b.Length + 1)], row = new int[b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                row[j] = Math.Min(Math.Min(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    row[j] = Math.Min(row[j], before[j - 2] + 1);
            }

            (before, last, row) = (last, row, before);
        }

        return last[b.Length];
    }
}
