// Cuts token ids into windows by a protocol. Works on ids only: joining and tokenising text is the caller's part.
namespace LlmShearing.Evaluation;

/// <summary>Windows, and what did not get into one.</summary>
/// <param name="Windows">The windows in order.</param>
/// <param name="SkippedSequences">Sequences left out because no token of them could be scored.</param>
/// <param name="UnusedTokens">Tokens in no window: dropped tails and what is beyond the largest number of windows.</param>
public sealed record PerplexityWindows(IReadOnlyList<PerplexityWindow> Windows, int SkippedSequences, long UnusedTokens);

/// <summary>Makes windows from rows of token ids.</summary>
public static class WindowBuilder
{
    /// <summary>Cuts rows of ids into windows.</summary>
    /// <param name="rows">Token ids: one row per document, or the stream in one or several pieces, as the protocol's join rule says.</param>
    /// <param name="protocol">The rules.</param>
    /// <param name="vocabularySize">Rows of the model's embedding.</param>
    /// <param name="bosId">BOS id; needed when the protocol adds one.</param>
    /// <returns>At least one window.</returns>
    /// <exception cref="TokenDataException">There is nothing to score, an id is outside the vocabulary, or a BOS is needed and unknown.</exception>
    /// <exception cref="ArgumentException">The protocol contradicts itself.</exception>
    public static PerplexityWindows Build(IReadOnlyList<int[]> rows, PerplexityProtocol protocol, int vocabularySize, int? bosId = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(protocol);
        protocol.Validate();
        Check(rows, vocabularySize);
        if (protocol.Bos != BosMode.None && bosId is null)
            throw new TokenDataException($"The protocol '{protocol.Name}' puts a BOS token in front ({protocol.Bos}), but the model's configuration has no bos_token_id. Give one, or use a protocol without BOS.");
        if (bosId is { } id && protocol.Bos != BosMode.None && (uint)id >= (uint)vocabularySize)
            throw new TokenDataException($"The BOS id {id} is outside the vocabulary of {vocabularySize}.");

        var windows = new List<PerplexityWindow>();
        int skipped = 0;
        long unused = 0;
        IReadOnlyList<int[]> sequences = protocol.JoinText is null ? rows : [Joined(rows)];
        for (int row = 0; row < sequences.Count; row++)
        {
            int[] sequence = protocol.Bos == BosMode.Start ? [bosId!.Value, .. sequences[row]] : sequences[row];
            int before = windows.Count;
            long left = Cut(windows, sequence, row, protocol, protocol.Bos == BosMode.EveryWindow ? bosId : null);
            unused += left;
            if (windows.Count > before || protocol.MaxWindows <= windows.Count)
                continue;
            if (protocol.JoinText is null && protocol.ShortSequences == ShortSequenceRule.Refuse)
                throw new TokenDataException($"Row {row} has {sequences[row].Length} tokens, of which the protocol '{protocol.Name}' can score none{Shortest(protocol)}. Remove the row, or let short sequences be skipped.");
            skipped++;
        }

        return windows.Count > 0
            ? new PerplexityWindows(windows, skipped, unused)
            : throw new TokenDataException($"There is nothing to score: {rows.Sum(r => (long)r.Length)} tokens in {rows.Count} rows give no window under the protocol '{protocol.Name}'{Shortest(protocol)}. Give more text, shorter windows, or keep the tail.");
    }

    // Returns the number of tokens that went into no window.
    private static long Cut(List<PerplexityWindow> windows, int[] sequence, int row, PerplexityProtocol protocol, int? bos)
    {
        int length = protocol.WindowLength ?? Math.Max(1, sequence.Length);
        int stride = protocol.Stride ?? length;
        int covered = 0;   // end of the last window: labels start there
        for (int begin = 0; covered < sequence.Length && begin < sequence.Length; begin += stride)
        {
            int end = (int)Math.Min((long)begin + length, sequence.Length);
            if (windows.Count >= protocol.MaxWindows || (end - begin < length && protocol.Tail == TailRule.Drop))
                break;
            int context = covered - begin;
            int[] ids = bos is { } b ? [b, .. sequence[begin..end]] : sequence[begin..end];
            var window = new PerplexityWindow(ids, context + (bos is null ? 0 : 1), row, begin);
            if (window.Scored < 1)
                break;
            windows.Add(window);
            covered = end;
        }

        return sequence.Length - covered;
    }

    private static int[] Joined(IReadOnlyList<int[]> rows)
    {
        if (rows.Count == 1)
            return rows[0];
        long total = rows.Sum(r => (long)r.Length);
        if (total > Array.MaxLength)
            throw new TokenDataException($"The stream has {total} tokens; at most {Array.MaxLength} are possible. Evaluate it in parts.");
        return [.. rows.SelectMany(r => r)];
    }

    private static void Check(IReadOnlyList<int[]> rows, int vocabularySize)
    {
        if (rows.Count == 0)
            throw new TokenDataException("There is no text to evaluate. Give at least one row of token ids.");
        for (int r = 0; r < rows.Count; r++)
        {
            int[] row = rows[r] ?? throw new TokenDataException($"Row {r} is null.");
            for (int t = 0; t < row.Length; t++)
                if ((uint)row[t] >= (uint)vocabularySize)
                    throw new TokenDataException($"Row {r}, token {t}: id {row[t]} is outside the model's vocabulary of {vocabularySize}. Tokenise the text with the tokenizer of this model.");
        }
    }

    private static string Shortest(PerplexityProtocol protocol) => protocol is { Tail: TailRule.Drop, WindowLength: { } length }
        ? $" (windows of {length} tokens, tail dropped)"
        : protocol.Bos == BosMode.None ? " (at least 2 are needed)" : " (at least 1 is needed)";
}
