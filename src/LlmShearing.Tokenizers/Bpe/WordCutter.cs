using System.Buffers;

namespace LlmShearing.Tokenizers.Bpe;

/// <summary>
/// Cuts a text that reaches the model in one piece (LLaMA-2 style has no pre-tokenizer) before its space marks, where this
/// provably changes nothing: no merge has a left side ending in the character before the cut and a right side beginning
/// with the mark, so no token can reach across. The pieces are words, which the cache knows.
/// </summary>
internal sealed class WordCutter
{
    public const char SpaceMark = '\u2581';

    private readonly SearchValues<char> _joining;

    private WordCutter(SearchValues<char> joining) => _joining = joining;

    /// <summary>Looks at all merges; null when cutting is not safe.</summary>
    /// <param name="merges">(left, right) tokens of every merge.</param>
    public static WordCutter? TryCreate(IEnumerable<(string Left, string Right)> merges)
    {
        var joining = new HashSet<char>();
        foreach ((string left, string right) in merges)
        {
            if (right.Length == 0 || right[0] != SpaceMark || left.Length == 0)
                continue;
            // A byte token stands for another character than the one it ends with.
            if (left[^1] == '>' || char.IsSurrogate(left[^1]))
                return null;
            joining.Add(left[^1]);
        }
        return new WordCutter(SearchValues.Create([.. joining]));
    }

    /// <summary>Length of the first word of <paramref name="text"/>.</summary>
    public int FirstWord(ReadOnlySpan<char> text)
    {
        int from = 1;
        while (from < text.Length)
        {
            int mark = text[from..].IndexOf(SpaceMark);
            if (mark < 0)
                break;
            mark += from;
            if (!_joining.Contains(text[mark - 1]))
                return mark;
            from = mark + 1;
        }
        return text.Length;
    }
}
