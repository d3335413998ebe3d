// Sets as runs of rows, with the rows left out that hold the rest of a document begun in the set before.
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Split;

internal static class DocumentSplit
{
    public static SplitDomain Split(ITokenRows rows, SplitSet[] sets, SplitOptions options, Random random)
    {
        var result = new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);
        int total = (int)rows.Count;
        // The runs begin at a random place and go round; what the last run could share with the first is left out by beginning at a safe row.
        long offset = total == 0 ? 0 : random.NextInt64(total);
        (long start, long end) = offset > 0 && SafeRow(rows, options, offset, total) is { } safe ? (safe, total + offset) : (0, total);
        long next = start;
        foreach (SplitSet set in sets)
        {
            long count = TokenSplitter.Wanted(set, rows);
            long? first = next == start ? start : SafeInCircle(rows, options, next, end);
            if (set.RowsByDomain is null)
                count = first is { } begin ? end - begin : 0;
            if (count > 0 && (first is not { } at || at + count > end))
                throw TokenSplitter.TooShort(rows, sets, $"there are {total}, and rows that share a document with another set are left out");
            result[set.Name] = TokenSplitter.Sorted([.. Range(first ?? end, count).Select(r => r % total)]);
            next = count > 0 ? first!.Value + count : next;
        }

        return new SplitDomain(rows.Name, rows.Count, result, new Dictionary<string, IReadOnlyList<string>>());
    }

    private static long? SafeInCircle(ITokenRows rows, SplitOptions options, long from, long end)
    {
        if (from < rows.Count)
        {
            long? safe = SafeRow(rows, options, from, Math.Min(end, rows.Count));
            // Nothing goes over from the last row to the first.
            return safe ?? (end > rows.Count ? rows.Count : null);
        }

        if (from == rows.Count)
            return from < end ? from : null;
        return SafeRow(rows, options, from - rows.Count, end - rows.Count) + rows.Count;
    }

    /// <summary>The first row from <paramref name="from"/> on that shares no document with rows before <paramref name="from"/>.</summary>
    private static long? SafeRow(ITokenRows rows, SplitOptions options, long from, long end)
    {
        if (from == 0)
            return 0;
        int[] before = Read(rows, from - 1);
        for (long row = from; row < end; row++)
        {
            int[] ids = Read(rows, row);
            if (Begins(before, ids, options))
                return row;
            if (HasBoundary(ids, options))
                return row + 1 < end ? row + 1 : null;
            before = ids;
        }

        return null;
    }

    // Whether no document goes over from one row to the next.
    private static bool Begins(int[] before, int[] ids, SplitOptions options) =>
        (options.BosTokenId is { } bos && ids.Length > 0 && ids[0] == bos) || (options.EosTokenId is { } eos && before.Length > 0 && before[^1] == eos);

    // Whether a document ends inside the row and another begins in it.
    private static bool HasBoundary(int[] ids, SplitOptions options) =>
        (options.BosTokenId is { } bos && ids.AsSpan(Math.Min(1, ids.Length)).Contains(bos)) || (options.EosTokenId is { } eos && ids.AsSpan(0, Math.Max(0, ids.Length - 1)).Contains(eos));

    private static int[] Read(ITokenRows rows, long row)
    {
        int[] ids = new int[rows.Length(row)];
        rows.Read(row, ids);
        return ids;
    }

    private static IEnumerable<long> Range(long first, long count)
    {
        for (long i = 0; i < count; i++)
            yield return first + i;
    }
}
