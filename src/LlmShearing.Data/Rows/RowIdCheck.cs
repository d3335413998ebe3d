// Finds the first id of rows that a model has no embedding for, before anything is computed.
namespace LlmShearing.Data.Rows;

/// <summary>Checks rows against the vocabulary of a model: by their ids, not by what the tokenizer that made them declares.</summary>
public static class RowIdCheck
{
    /// <summary>Refuses ids that are not below a vocabulary size. Reads all rows unless their tokenizer declares no more tokens than that.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="vocabularySize">Rows of the model's embedding.</param>
    /// <param name="cancellationToken">Checked before each row.</param>
    /// <exception cref="TokenDataException">An id reaches beyond; the message names file, row, position and id.</exception>
    public static void EnsureIdsBelow(this ITokenRows rows, int vocabularySize, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.VocabularySize <= vocabularySize)
            return;
        if (rows is JoinedTokenRows joined)
        {
            foreach (ITokenRows part in joined.Parts)
                part.EnsureIdsBelow(vocabularySize, cancellationToken);
            return;
        }

        int[] ids = [];
        for (long row = 0; row < rows.Count; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = rows.Length(row);
            if (ids.Length < length)
                ids = new int[length];
            rows.Read(row, ids.AsSpan(0, length));
            EnsureBelow(ids.AsSpan(0, length), vocabularySize, (rows as IStoredRows)?.Place ?? rows.Name, "row", row);
        }
    }

    /// <summary>Refuses ids that are not below a vocabulary size, for rows in memory.</summary>
    /// <param name="rows">Ids by row.</param>
    /// <param name="vocabularySize">Rows of the model's embedding.</param>
    /// <param name="place">Where the rows come from, for the message: a file, as a rule.</param>
    /// <param name="unit">What a row is called there, for the message.</param>
    /// <exception cref="TokenDataException">An id is negative or reaches beyond; the message names place, row, position and id.</exception>
    public static void EnsureIdsBelow(this IReadOnlyList<int[]> rows, int vocabularySize, string place, string unit = "row")
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentException.ThrowIfNullOrEmpty(place);
        ArgumentException.ThrowIfNullOrEmpty(unit);
        for (int row = 0; row < rows.Count; row++)
            EnsureBelow(rows[row], vocabularySize, place, unit, row);
    }

    private static void EnsureBelow(ReadOnlySpan<int> ids, int vocabularySize, string place, string unit, long row)
    {
        for (int t = 0; t < ids.Length; t++)
            if ((uint)ids[t] >= (uint)vocabularySize)
                throw new TokenDataException(
                    $"{place}, {unit} {row}, token {t}: id {ids[t]} is outside the model's vocabulary of {vocabularySize}. "
                    + "Tokenise the text with the model's own tokenizer.");
    }
}
