// Split expressions of published tokenizers.
using System.Globalization;
using System.Text;
using LlmShearing.Tokenizers.Patterns;
using LlmShearing.Tokenizers.PreTokenization;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>Compiled expressions against the hand-written scanners, a reference over code points, and pieces worked out by hand.</summary>
public class PatternScannerTests
{
    private const string Tekken = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Letters of both cases inside and beyond the basic plane, marks, digits of other scripts, CJK, spaces, line breaks, signs, half a pair.
    private static readonly string[] Parts =
    [
        "a", "Z", "s", "S", "\u017F", "'", "é", "É", "ǅ", "ʰ", "א", "\u0301", "\u20DD", "中", "가", "ぁ", "1", "٣", "Ⅷ", "½", "𐐀", "𐐨", "𝟗", "𠀀", "𑄀", "😀",
        " ", " ", "\t", "\n", "\r", "\r\n", "\u00A0", "\u2028", "\u3000", "/", ".", "-", "_", "\uD800", "l", "'re", "'LL",
    ];

    public static TheoryData<string, string> HandWritten() => new() { { "gpt2", Gpt2Scanner.Pattern }, { "llama3", Llama3Scanner.Pattern }, { "qwen2", Llama3Scanner.Qwen2Pattern } };

    [Theory]
    [MemberData(nameof(HandWritten))]
    public void Next_KnownExpression_MatchesTheHandWrittenScanner(string kind, string pattern)
    {
        PieceScanner expected = kind switch { "llama3" => new Llama3Scanner(3), "qwen2" => new Llama3Scanner(1), _ => Gpt2Scanner.Instance };
        PatternScanner compiled = Compile(pattern);
        foreach (string text in Texts(4000))
            Assert.Equal(Pieces(expected, text), Pieces(compiled, text));
    }

    [Fact]
    public void Next_Tekken_MatchesTheReference()
    {
        PatternScanner compiled = Compile(Tekken);
        foreach (string text in Texts(4000))
            Assert.Equal(TekkenPieces(text), Pieces(compiled, text));
    }

    [Theory]
    [InlineData(Tekken, "HelloWorld 12/\nÉa", "Hello|World| |1|2|/\n|Éa")]
    [InlineData("[0-9][0-9][0-9]", "12345678", "123|456|78")]
    [InlineData(@"\s?\p{P}+", "a, b!!", "a|,| b|!!")]
    [InlineData("[一-龥ࠀ-一가-퟿]+", "ab中文가c", "ab|中文가|c")]
    [InlineData(@"\p{N}{1,3}", "𝟗𝟗𝟗𝟗x", "𝟗𝟗𝟗|𝟗|x")]
    [InlineData(@"(?i:'s|'t)|\p{L}++|\s++$", "it'S ok  ", "it|'S| |ok|  ")]
    [InlineData(@"(?:ab|a)b", "abb", "abb")]
    [InlineData(@"(?>ab|a)b", "ab", "ab")]
    [InlineData(@"\p{L}{2}+", "abcde", "abcd|e")]
    [InlineData(@"a{,2}b", "aaab", "a|aab")]
    [InlineData(@"\w+", "a\u0301_Ⅷ1ⓐ²\u200Db", "a\u0301_Ⅷ1ⓐ|²\u200D|b")]
    [InlineData(@"\s+", "a\u0085\u00A0\u2028\u3000\v\u200B\uFEFF\u180E", "a|\u0085\u00A0\u2028\u3000\v|\u200B\uFEFF\u180E")]
    [InlineData(@"\d+", "1٣²Ⅷ", "1٣|²Ⅷ")]
    [InlineData(@"x$", "x\nxx\n", "x|\nx|x|\n")]
    [InlineData(@"(?i:k|s)+", "kKsS\u212A\u017F", "kKsS\u212A\u017F")]
    [InlineData(@"[𐐀-𐐧]+", "x𐐀𐐁𐐨", "x|𐐀𐐁|𐐨")]
    [InlineData(@"\P{L}+|[^\S\n]", "ab12", "ab|12")]
    public void Split_Expression_GivesThePieces(string pattern, string text, string pieces) =>
        Assert.Equal(pieces.Split('|'), TestPieces.Of(text, new SplitStep(Compile(pattern), SplitBehavior.Isolated)));

    [Theory]
    [InlineData(@"a*?b", "reluctant")]
    [InlineData(@"(?<=a)b", "(?<=")]
    [InlineData(@"\bword", "\\b")]
    [InlineData(@"(a)\1", "\\1")]
    [InlineData(@"\p{Han}+", "Han")]
    [InlineData(@"[a&&b]", "&")]
    [InlineData(@"[[:alpha:]]", "[")]
    [InlineData(@"^a", "^")]
    [InlineData(@"a*", "match nothing")]
    [InlineData(@"(a*)*b", "match nothing")]
    [InlineData(@"(?i:é)", "ASCII")]
    [InlineData(@"(?i:'st)", "case")]
    [InlineData(@"a{1,2000}", "{")]
    [InlineData(@"(a", "end")]
    [InlineData(@"a)", ")")]
    [InlineData(@"[b-a]", "range")]
    [InlineData(@"(((((a{1000}){1000}){1000}){1000}){1000})", "steps")]
    public void TryCompile_OtherConstructs_AreRefusedByName(string pattern, string problem)
    {
        Assert.Null(PatternParser.TryCompile(pattern, out string? found));
        Assert.Contains(problem, found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[", "ab", "]+")]
    [InlineData("", "a|", "a")]
    [InlineData("", "(", "")]
    public void TryCompile_VeryLong_IsRefusedBeforeAnythingIsMade(string before, string repeated, string behind)
    {
        Assert.Null(PatternParser.TryCompile(before + string.Concat(Enumerable.Repeat(repeated, 50_000)) + behind, out string? found));
        Assert.Contains("more than 4096", found, StringComparison.Ordinal);
    }

    [Fact]
    public void TryCompile_Classes_TakeLittleMemory()
    {
        Compile(Tekken);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Compile(Tekken);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Next_ExpressionWithoutEnd_IsRefused()
    {
        PatternScanner compiled = Compile("(?:(?:a|a)+)+b");
        Assert.Throws<TokenizerException>(() => Pieces(compiled, new string('a', 60)));
    }

    private static PatternScanner Compile(string pattern)
    {
        PatternScanner? compiled = PatternParser.TryCompile(pattern, out string? problem);
        Assert.True(compiled is not null, problem);
        return compiled;
    }

    private static IEnumerable<string> Texts(int count)
    {
        var random = new Random(7);
        for (int i = 0; i < count; i++)
            yield return string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => Parts[random.Next(Parts.Length)]));
    }

    private static List<string> Pieces(PieceScanner scanner, string text)
    {
        var pieces = new List<string>();
        for (int from = 0; scanner.Next(text, from, out int start, out int end); from = end)
            pieces.Add($"{start}:{text[start..end]}");
        return pieces;
    }

    // The seven alternatives spelled out over an array of code points, each tried in order.
    private static List<string> TekkenPieces(string text)
    {
        Rune[] all = [.. text.EnumerateRunes()];
        var pieces = new List<string>();
        int units = 0;
        for (int at = 0; at < all.Length;)
        {
            int end = Word(at, tail: true) ?? Word(at, tail: false) ?? Rest(at);
            int length = 0;
            for (; at < end; at++)
                length += all[at].Utf16SequenceLength;
            pieces.Add($"{units}:{text.Substring(units, length)}");
            units += length;
        }
        return pieces;

        int? Word(int at, bool tail)
        {
            foreach (bool lead in (bool[])[true, false])
            {
                if (lead && (IsLetter(at) || IsNumber(at) || IsBreak(at)))
                    continue;
                int begin = at + (lead ? 1 : 0), split = begin;
                while (split < all.Length && IsUpper(split))
                    split++;
                for (; split >= begin; split--)
                {
                    int end = split;
                    while (end < all.Length && IsLower(end))
                        end++;
                    if (tail ? end > split : split > begin)
                        return end;
                }
            }
            return null;
        }

        int Rest(int at)
        {
            if (IsNumber(at))
                return at + 1;
            int begin = all[at].Value == ' ' && at + 1 < all.Length && IsSign(at + 1) ? at + 1 : at, end = begin;
            while (end < all.Length && IsSign(end))
                end++;
            if (end > begin)
            {
                while (end < all.Length && (IsBreak(end) || all[end].Value == '/'))
                    end++;
                return end;
            }
            while (end < all.Length && Rune.IsWhiteSpace(all[end]))
                end++;
            for (int i = end - 1; i >= at; i--)
                if (IsBreak(i))
                    return i + 1;
            return end < all.Length && end - at > 1 ? end - 1 : end;
        }

        UnicodeCategory Kind(int i) => Rune.GetUnicodeCategory(all[i]);
        bool IsLetter(int i) => Kind(i) <= UnicodeCategory.OtherLetter;
        bool IsNumber(int i) => Kind(i) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;
        bool IsBreak(int i) => all[i].Value is '\r' or '\n';
        bool IsSign(int i) => !IsLetter(i) && !IsNumber(i) && !Rune.IsWhiteSpace(all[i]);
        bool IsMark(int i) => Kind(i) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark;
        bool IsUpper(int i) => (IsLetter(i) && Kind(i) != UnicodeCategory.LowercaseLetter) || IsMark(i);
        bool IsLower(int i) => Kind(i) is UnicodeCategory.LowercaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter || IsMark(i);
    }
}
