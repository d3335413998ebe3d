// Finds the first id of rows that a model has no embedding for, before anything is computed.
namespace LlmShearing.Data;

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
            for (int t = 0; t < length; t++)
                if ((uint)ids[t] >= (uint)vocabularySize)
                    throw new TokenDataException($"{(rows as IStoredRows)?.Place ?? rows.Name}, row {row}, token {t}: id {ids[t]} is outside the model's vocabulary of {vocabularySize}. Tokenise the text with the model's own tokenizer.");
        }
    }
}
