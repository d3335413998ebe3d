using System.Globalization;
using System.Text;

namespace LlmShearing.Tokenizers.Text;

/// <summary>
/// The character classes of the pre-tokenizer patterns. They work on whole code points: .NET's Regex sees UTF-16 units
/// and would not find letters or digits outside the basic plane.
/// </summary>
internal static class CharClass
{
    public const byte Other = 0;
    public const byte Letter = 1;
    public const byte Number = 2;
    public const byte Space = 3;

    private static readonly byte[] BasicPlane = BuildBasicPlane();

    /// <summary>Class of the code point at <paramref name="index"/> and its length in UTF-16 units.</summary>
    public static byte At(ReadOnlySpan<char> text, int index, out int length)
    {
        char c = text[index];
        length = 1;
        if (!char.IsHighSurrogate(c) || index + 1 >= text.Length || !char.IsLowSurrogate(text[index + 1]))
            return BasicPlane[c];
        length = 2;
        return Of(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, text[index + 1])));
    }

    /// <summary>Class of one UTF-16 unit; surrogates are <see cref="Other"/>.</summary>
    public static byte OfUnit(char c) => BasicPlane[c];

    /// <summary>End of the run of <paramref name="wanted"/> that begins at <paramref name="index"/>.</summary>
    public static int SkipRun(ReadOnlySpan<char> text, int index, byte wanted)
    {
        while (index < text.Length)
        {
            char c = text[index];
            if (!char.IsSurrogate(c))
            {
                if (BasicPlane[c] != wanted)
                    break;
                index++;
            }
            else
            {
                if (At(text, index, out int length) != wanted)
                    break;
                index += length;
            }
        }
        return index;
    }

    /// <summary>Punctuation: the P categories and the ASCII symbols.</summary>
    public static bool IsPunctuation(Rune rune) => rune.IsAscii
        ? rune.Value is (>= 33 and <= 47) or (>= 58 and <= 64) or (>= 91 and <= 96) or (>= 123 and <= 126)
        : Rune.GetUnicodeCategory(rune) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation
            or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation
            or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;

    /// <summary>The word characters (<c>\w</c>) of Unicode regular expressions: alphabetic, mark, decimal digit, connector, join control.</summary>
    public static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber
            or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation => true,
        UnicodeCategory.Format => rune.Value is 0x200C or 0x200D,
        // Circled and squared letters are alphabetic although they are symbols.
        UnicodeCategory.OtherSymbol => rune.Value is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149)
            or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        _ => false,
    };

    private static byte Of(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => Other,
    };

    private static byte[] BuildBasicPlane()
    {
        byte[] table = new byte[char.MaxValue + 1];
        for (int c = 0; c < table.Length; c++)
            table[c] = char.IsWhiteSpace((char)c) ? Space : Of(CharUnicodeInfo.GetUnicodeCategory((char)c));
        return table;
    }
}
