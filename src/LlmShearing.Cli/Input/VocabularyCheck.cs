// Tokens of texts that the model has no row for, found before anything is computed: the message names the file, the place in it and the token.
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Input;

internal static class VocabularyCheck
{
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
