// Ascending row numbers as text: "0-3,7". What a manifest holds instead of a number a line.
using System.Globalization;
using System.Text;

namespace LlmShearing.Data.Split;

internal static class RowRanges
{
    public static string Format(IReadOnlyList<long> rows)
    {
        var text = new StringBuilder();
        for (int i = 0, end; i < rows.Count; i = end)
        {
            for (end = i + 1; end < rows.Count && rows[end] == rows[end - 1] + 1; end++)
            {
            }

            if (i > 0)
                text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{rows[i]}");
            if (end - i > 1)
                text.Append(CultureInfo.InvariantCulture, $"-{rows[end - 1]}");
        }

        return text.ToString();
    }

    /// <param name="text">Ascending ranges.</param>
    /// <param name="count">Rows are below it; checked before a range is expanded.</param>
    /// <exception cref="FormatException">The text is not of that form.</exception>
    public static long[] Parse(string text, long count)
    {
        var rows = new List<long>();
        long next = 0;
        if (text.Length == 0)
            return [];
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-');
            long first = Number(ends[0]);
            long last = ends.Length == 2 ? Number(ends[1]) : first;
            if (ends.Length > 2 || first < next || last < first || last >= count)
                throw new FormatException($"'{part}' is no range of rows from {next} to {count - 1}");
            for (long row = first; row <= last; row++)
                rows.Add(row);
            next = last + 1;
        }

        return [.. rows];
    }

    private static long Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : throw new FormatException($"'{text}' is no row number");
}
