// Ids that the model has no row for, found before anything is computed: the message names the file and the place in it.
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli;

internal static class VocabularyCheck
{
    /// <summary>Refuses rows of ids.</summary>
    /// <param name="where">The file they come from.</param>
    /// <param name="unit">What a row is called there.</param>
    /// <param name="rows">The ids.</param>
    /// <param name="vocabulary">Rows of the model's embedding.</param>
    /// <exception cref="TokenDataException">An id is not below <paramref name="vocabulary"/>.</exception>
    public static void Rows(string where, string unit, IReadOnlyList<int[]> rows, int vocabulary)
    {
        for (int r = 0; r < rows.Count; r++)
            if (Array.FindIndex(rows[r], id => (uint)id >= (uint)vocabulary) is >= 0 and int t)
                throw new TokenDataException($"{where}, {unit} {r}, token {t}: id {rows[r][t]} is outside the model's vocabulary of {vocabulary}. Tokenise the text with the model's own tokenizer.");
    }

    /// <summary>Refuses texts. Encodes them only when the tokenizer has more tokens than the model: no text uses them, as a rule.</summary>
    /// <exception cref="TokenDataException">A text has a token that the model has no row for.</exception>
    public static void Texts(string path, IReadOnlyList<string> records, ITokenizer tokenizer, int vocabulary)
    {
        if (tokenizer.VocabularySize > vocabulary)
            for (int i = 0; i < records.Count; i++)
            {
                int[] ids = tokenizer.Encode(records[i], addSpecialTokens: false);
                if (Array.FindIndex(ids, id => id >= vocabulary) is >= 0 and int t)
                    throw new TokenDataException($"{path}, record {i}, token {t}: '{tokenizer.IdToToken(ids[t])}' is id {ids[t]}, outside the model's vocabulary of {vocabulary}. Take it out of the text, or use a model that has it.");
            }
    }
}
