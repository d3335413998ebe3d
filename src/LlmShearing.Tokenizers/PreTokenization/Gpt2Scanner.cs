using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>
/// The GPT-2 pattern by hand: <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.
/// Its matches cover every text without gaps.
/// </summary>
internal sealed class Gpt2Scanner : PieceScanner
{
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public static Gpt2Scanner Instance { get; } = new();

    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        start = from;
        end = from < text.Length ? End(text, from) : from;
        return from < text.Length;
    }

    /// <summary>End of the match that begins at <paramref name="i"/>.</summary>
    public static int End(ReadOnlySpan<char> text, int i)
    {
        char c = text[i];
        if (c == '\'' && Contraction(text, i) is int contraction and > 0)
            return contraction;

        int body = c == ' ' && i + 1 < text.Length ? i + 1 : i;
        byte kind = CharClass.At(text, body, out int length);
        if (kind != CharClass.Space)
            return CharClass.SkipRun(text, body + length, kind);
        return WhitespaceEnd(text, i);
    }

    /// <summary>The end of <c>\s+(?!\S)|\s+</c>: a run of whitespace leaves its last character to what follows, unless it is alone.</summary>
    public static int WhitespaceEnd(ReadOnlySpan<char> text, int i)
    {
        int end = CharClass.SkipRun(text, i, CharClass.Space);
        return end < text.Length && end - i > 1 ? end - 1 : end;
    }

    private static int Contraction(ReadOnlySpan<char> text, int i)
    {
        if (i + 1 >= text.Length)
            return 0;
        switch (text[i + 1])
        {
            case 's' or 't' or 'm' or 'd':
                return i + 2;
            case 'r' or 'v':
                return i + 2 < text.Length && text[i + 2] == 'e' ? i + 3 : 0;
            case 'l':
                return i + 2 < text.Length && text[i + 2] == 'l' ? i + 3 : 0;
            default:
                return 0;
        }
    }
}
