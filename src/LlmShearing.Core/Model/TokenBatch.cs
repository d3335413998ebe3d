// Token ids on their way to a model: managed memory only, so that no tensor lifetime crosses an assembly border.
namespace LlmShearing;

/// <summary>A rectangular batch of token ids with an optional attention mask.</summary>
public sealed class TokenBatch
{
    private readonly int[] _ids;
    private readonly bool[]? _mask;

    /// <summary>Creates a batch.</summary>
    /// <param name="batchSize">Rows, at least 1.</param>
    /// <param name="sequenceLength">Tokens a row, at least 1.</param>
    /// <param name="ids">Token ids [batchSize, sequenceLength], row-major; not copied.</param>
    /// <param name="attentionMask">True = real token, same layout; null = all real.</param>
    /// <exception cref="TokenDataException">The lengths do not agree or an id is negative.</exception>
    public TokenBatch(int batchSize, int sequenceLength, int[] ids, bool[]? attentionMask = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (batchSize < 1 || sequenceLength < 1 || ids.LongLength != (long)batchSize * sequenceLength)
            throw new TokenDataException($"A token batch of {batchSize} x {sequenceLength} needs {(long)batchSize * sequenceLength} ids, but {ids.LongLength} were given.");
        if (attentionMask is not null && attentionMask.Length != ids.Length)
            throw new TokenDataException($"The attention mask has {attentionMask.Length} entries for {ids.Length} ids.");
        for (int i = 0; i < ids.Length; i++)
            if (ids[i] < 0)
                throw new TokenDataException($"Row {i / sequenceLength}, token {i % sequenceLength}: id {ids[i]} is negative.");
        (BatchSize, SequenceLength, _ids, _mask) = (batchSize, sequenceLength, ids, attentionMask);
    }

    /// <summary>Rows.</summary>
    public int BatchSize { get; }

    /// <summary>Tokens a row, padding included.</summary>
    public int SequenceLength { get; }

    /// <summary>Token ids [batch, sequence], row-major.</summary>
    public ReadOnlySpan<int> Ids => _ids;

    /// <summary>True = real token [batch, sequence]; empty when every token is real.</summary>
    public ReadOnlySpan<bool> AttentionMask => _mask;

    /// <summary>Whether some positions are padding.</summary>
    public bool HasPadding => _mask is not null && Array.IndexOf(_mask, false) >= 0;

    /// <summary>Whether position (<paramref name="row"/>, <paramref name="position"/>) is a real token.</summary>
    /// <param name="row">0-based row.</param>
    /// <param name="position">0-based position.</param>
    /// <returns>False for padding.</returns>
    public bool IsReal(int row, int position) => _mask is null || _mask[(row * SequenceLength) + position];

    /// <summary>Makes one batch of rows, padded on the right with <paramref name="padId"/> where they are shorter than the longest.</summary>
    /// <param name="rows">Token ids by row; none empty.</param>
    /// <param name="padId">Id written into padding; default 0.</param>
    /// <returns>The batch; without a mask when all rows are equally long.</returns>
    /// <exception cref="TokenDataException">There is no row, or a row is empty.</exception>
    public static TokenBatch FromRows(IReadOnlyList<int[]> rows, int padId = 0)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new TokenDataException("There is no sequence to make a batch of. Give at least one row of token ids.");
        int length = rows.Max(r => r.Length);
        if (rows.Any(r => r.Length == 0))
            throw new TokenDataException($"Row {rows.ToList().FindIndex(r => r.Length == 0)} is empty. Remove it or give it at least one token.");
        bool ragged = rows.Any(r => r.Length != length);
        int[] ids = new int[rows.Count * length];
        bool[]? mask = ragged ? new bool[ids.Length] : null;
        for (int r = 0; r < rows.Count; r++)
        {
            rows[r].CopyTo(ids, r * length);
            ids.AsSpan((r * length) + rows[r].Length, length - rows[r].Length).Fill(padId);
            mask?.AsSpan(r * length, rows[r].Length).Fill(true);
        }

        return new TokenBatch(rows.Count, length, ids, mask);
    }

    /// <summary>Cuts rows into batches of <paramref name="batchSize"/> in order; the last one may be smaller.</summary>
    /// <param name="rows">Token ids by row.</param>
    /// <param name="batchSize">Rows a batch, at least 1.</param>
    /// <returns>Batches, made lazily.</returns>
    public static IEnumerable<TokenBatch> Batches(IReadOnlyList<int[]> rows, int batchSize)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        for (int start = 0; start < rows.Count; start += batchSize)
            yield return FromRows([.. rows.Skip(start).Take(batchSize)]);
    }
}
