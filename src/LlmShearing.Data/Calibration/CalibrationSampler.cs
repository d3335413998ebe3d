// Short random windows of text for scoring, chosen as the block pruning papers do.
namespace LlmShearing.Data.Calibration;

/// <summary>
/// Draws calibration windows. <see cref="FromRows"/> is the sampler of Shortened LLaMA and LLM-Pruner (one window from each of several
/// sufficiently long rows, Python's generator: same seed, same rows); <see cref="FromStream"/> takes windows anywhere in one long text.
/// </summary>
/// <param name="count">Windows wanted, at least 1; the papers use 10.</param>
/// <param name="length">Tokens a window, at least 2; the papers use 128 (Shortened LLaMA) or 64 (LLM-Pruner).</param>
/// <param name="seed">Seed, 0 or more; Shortened LLaMA uses 1234.</param>
public sealed class CalibrationSampler(int count = 10, int length = 128, int seed = 1234)
{
    /// <summary>Token put in front of every window, whose last token then goes, so that the length stays; null (default) = none.</summary>
    public int? LeadingToken { get; init; }

    /// <summary>Windows from distinct rows of at least <c>length</c> tokens; row and start are drawn at random.</summary>
    /// <param name="rowCount">Rows to choose from.</param>
    /// <param name="encode">Token ids of a row; asked for as rows are drawn, so that few of many rows are encoded.</param>
    /// <returns>The windows, in the order drawn.</returns>
    /// <exception cref="TokenDataException">Too few rows are long enough.</exception>
    public IReadOnlyList<int[]> FromRows(int rowCount, Func<int, int[]> encode)
    {
        ArgumentNullException.ThrowIfNull(encode);
        Check();
        var random = new PythonRandom((uint)seed);
        var seen = new HashSet<int>();
        var windows = new List<int[]>();
        while (windows.Count < count)
        {
            if (seen.Count == rowCount)
                throw new TokenDataException($"Only {windows.Count} of {rowCount} rows have at least {length} tokens; {count} are needed. Give more or longer text, fewer samples, or shorter ones.");
            int row = random.UpTo(rowCount - 1);
            // Rows that are too short are drawn again by the papers' loop as well: the draw counts, the answer is the same.
            if (!seen.Add(row))
                continue;
            int[] ids = encode(row);
            if (ids.Length >= length)
                windows.Add(Window(ids, random.UpTo(ids.Length - length)));
        }

        return windows;
    }

    /// <summary>Windows from anywhere in one sequence; they may overlap when the text is short.</summary>
    /// <param name="ids">Token ids of the whole text.</param>
    /// <returns>The windows, in the order drawn.</returns>
    /// <exception cref="TokenDataException">The text is shorter than one window.</exception>
    public IReadOnlyList<int[]> FromStream(int[] ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Check();
        if (ids.Length < length)
            throw new TokenDataException($"The text has {ids.Length} tokens; a calibration window needs {length}. Give more text or a smaller length.");
        var random = new PythonRandom((uint)seed);
        return [.. Enumerable.Range(0, count).Select(_ => Window(ids, random.UpTo(ids.Length - length)))];
    }

    private int[] Window(int[] ids, int start) =>
        LeadingToken is { } first ? [first, .. ids.AsSpan(start, length - 1)] : ids.AsSpan(start, length).ToArray();

    private void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(seed);
    }
}
