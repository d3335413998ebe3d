using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>
/// The LLaMA-3 pattern by hand, and Qwen2's, which differs only in taking digits one by one. The matches cover every text.
/// </summary>
internal sealed class Llama3Scanner(int digitsPerPiece) : PieceScanner
{
    public const string Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        start = from;
        end = from < text.Length ? End(text, from) : from;
        return from < text.Length;
    }

    private int End(ReadOnlySpan<char> text, int i)
    {
        char c = text[i];
        if (c == '\'' && Contraction(text, i) is int contraction and > 0)
            return contraction;

        byte kind = CharClass.At(text, i, out int length);
        if (kind == CharClass.Letter)
            return CharClass.SkipRun(text, i + length, CharClass.Letter);
        if (kind == CharClass.Number)
            return NumberEnd(text, i);

        // One character of any other kind, but no line break, may lead a run of letters.
        int next = i + length;
        byte nextKind = CharClass.Space;
        int nextLength = 0;
        if (next < text.Length)
            nextKind = CharClass.At(text, next, out nextLength);
        if (nextKind == CharClass.Letter && c is not ('\r' or '\n'))
            return CharClass.SkipRun(text, next + nextLength, CharClass.Letter);

        if (kind == CharClass.Other)
            return SymbolsEnd(text, next);
        if (c == ' ' && nextKind == CharClass.Other)
            return SymbolsEnd(text, next + nextLength);
        return SpaceEnd(text, i);
    }

    private int NumberEnd(ReadOnlySpan<char> text, int i)
    {
        for (int digits = 0; digits < digitsPerPiece && i < text.Length; digits++)
        {
            if (CharClass.At(text, i, out int length) != CharClass.Number)
                break;
            i += length;
        }
        return i;
    }

    private static int SymbolsEnd(ReadOnlySpan<char> text, int i)
    {
        i = CharClass.SkipRun(text, i, CharClass.Other);
        while (i < text.Length && text[i] is '\r' or '\n')
            i++;
        return i;
    }

    private static int SpaceEnd(ReadOnlySpan<char> text, int i)
    {
        int end = CharClass.SkipRun(text, i, CharClass.Space);
        int lineBreak = text[i..end].LastIndexOfAny('\r', '\n');
        if (lineBreak >= 0)
            return i + lineBreak + 1;
        return end < text.Length && end - i > 1 ? end - 1 : end;
    }

    private static int Contraction(ReadOnlySpan<char> text, int i)
    {
        if (i + 1 >= text.Length)
            return 0;
        char second = i + 2 < text.Length ? (char)(text[i + 2] | 0x20) : '\0';
        switch (text[i + 1])
        {
            // U+017F, the long s, is an s to a pattern that ignores case.
            case 's' or 'S' or '\u017F' or 't' or 'T' or 'm' or 'M' or 'd' or 'D':
                return i + 2;
            case 'r' or 'R' or 'v' or 'V':
                return second == 'e' ? i + 3 : 0;
            case 'l' or 'L':
                return second == 'l' ? i + 3 : 0;
            default:
                return 0;
        }
    }
}
