using System.Text;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>Matches runs of numeric code points, or each by itself.</summary>
internal sealed class DigitScanner(bool individual) : PieceScanner
{
    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        start = end = from;
        while (start < text.Length)
        {
            byte kind = CharClass.At(text, start, out int length);
            end = start + length;
            if (kind == CharClass.Number)
            {
                if (!individual)
                    end = CharClass.SkipRun(text, end, CharClass.Number);
                return true;
            }
            start = end;
        }
        return false;
    }
}

/// <summary>Matches each punctuation character.</summary>
internal sealed class PunctuationScanner : PieceScanner
{
    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        start = end = from;
        while (start < text.Length)
        {
            Rune.DecodeFromUtf16(text[start..], out Rune rune, out int length);
            end = start + length;
            if (CharClass.IsPunctuation(rune))
                return true;
            start = end;
        }
        return false;
    }
}

/// <summary>Matches each whitespace character.</summary>
internal sealed class SpaceScanner : PieceScanner
{
    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        start = from;
        while (start < text.Length && CharClass.OfUnit(text[start]) != CharClass.Space)
            start++;
        end = start + 1;
        return start < text.Length;
    }
}

/// <summary>Matches runs of word characters and runs of what is neither word nor whitespace: <c>\w+|[^\w\s]+</c>.</summary>
internal sealed class WordScanner : PieceScanner
{
    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        start = from;
        while (start < text.Length && CharClass.OfUnit(text[start]) == CharClass.Space)
            start++;
        end = start;
        bool? word = null;
        while (end < text.Length && CharClass.OfUnit(text[end]) != CharClass.Space)
        {
            Rune.DecodeFromUtf16(text[end..], out Rune rune, out int length);
            bool isWord = CharClass.IsWord(rune);
            if ((word ??= isWord) != isWord)
                break;
            end += length;
        }
        return end > start;
    }
}

/// <summary>Matches a fixed string, not empty.</summary>
internal sealed class LiteralScanner(string literal) : PieceScanner
{
    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        int found = text[from..].IndexOf(literal, StringComparison.Ordinal);
        start = from + found;
        end = start + literal.Length;
        return found >= 0;
    }
}
