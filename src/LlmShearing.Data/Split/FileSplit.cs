// Held-out rows from other source files than training rows.
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Split;

internal static class FileSplit
{
    public static SplitDomain Split(ITokenRows rows, SplitSet[] sets, Random random)
    {
        if (rows is not JoinedTokenRows { Sources.Count: > 0 } joined)
            throw new TokenDataException($"Which files the rows of '{rows.Name}' come from is not known; only rows made by 'shear tokenize' say. Split by rows or documents.");
        if (joined.RowsCrossSources)
            throw new TokenDataException($"Rows of '{rows.Name}' go over the ends of files, so that files cannot be kept apart. Tokenize with the remainder dropped (--remainder drop), or split by documents.");
        TokenSource[] files = [.. joined.Sources.Where(s => s.Rows > 0)];
        random.Shuffle(files);
        SplitSet[] heldOut = [.. sets.Where(s => s.HeldOut)];
        SplitSet[] training = [.. sets.Where(s => !s.HeldOut)];
        int boundary = 0;
        long heldOutRows = 0;
        for (long wanted = heldOut.Sum(s => TokenSplitter.Wanted(s, rows)); heldOutRows < wanted; boundary++)
            heldOutRows += files[boundary].Rows;
        var result = new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);
        var names = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        Draw(files[..boundary], heldOut);
        Draw(files[boundary..], training);
        return new SplitDomain(rows.Name, rows.Count, result, names);

        void Draw(TokenSource[] pool, SplitSet[] share)
        {
            long[] all = [.. pool.SelectMany(f => Enumerable.Range(0, (int)f.Rows).Select(r => f.FirstRow + r))];
            if (share.Sum(s => TokenSplitter.Wanted(s, rows)) > all.Length)
                throw TokenSplitter.TooShort(rows, sets, $"there are {rows.Count}, {heldOutRows} of them in the {boundary} of {files.Length} files that are held out");
            random.Shuffle(all);
            int next = 0;
            foreach (SplitSet set in share)
            {
                int count = set.RowsByDomain is null ? all.Length - next : (int)TokenSplitter.Wanted(set, rows);
                long[] rowsOfSet = TokenSplitter.Sorted(all.AsSpan(next, count));
                next += count;
                result[set.Name] = rowsOfSet;
                names[set.Name] = [.. pool.Where(f => Array.BinarySearch(rowsOfSet, f.FirstRow) is var at && (at >= 0 || (~at < rowsOfSet.Length && rowsOfSet[~at] < f.FirstRow + f.Rows))).Select(f => f.File).Order(StringComparer.Ordinal)];
            }
        }
    }
}
