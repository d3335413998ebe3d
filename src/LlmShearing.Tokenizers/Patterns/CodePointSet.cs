// The characters that one place of a split expression takes.
using System.Globalization;
using System.Text;

namespace LlmShearing.Tokenizers.Patterns;

/// <summary>A set of code points, those beyond the basic plane included. Built once, then only read.</summary>
internal sealed class CodePointSet
{
    private readonly ulong[] _basic = new ulong[1024];
    private readonly Func<int, bool> _contains;

    public CodePointSet(Func<int, bool> contains)
    {
        _contains = contains;
        for (int c = 0; c <= char.MaxValue; c++)
            if (contains(c))
                _basic[c >> 6] |= 1UL << (c & 63);
    }

    public bool Contains(int codePoint) =>
        codePoint <= char.MaxValue ? (_basic[codePoint >> 6] >> (codePoint & 63) & 1) != 0 : _contains(codePoint);

    /// <summary>Length in UTF-16 units of the code point at <paramref name="at"/> when it is in the set, else 0. A lone surrogate counts as U+FFFD.</summary>
    public int Length(ReadOnlySpan<char> text, int at)
    {
        if (at >= text.Length)
            return 0;
        char c = text[at];
        if (!char.IsSurrogate(c))
            return (_basic[c >> 6] >> (c & 63) & 1) != 0 ? 1 : 0;
        Rune.DecodeFromUtf16(text[at..], out Rune rune, out int length);
        return Contains(rune.Value) ? length : 0;
    }

    /// <summary>A general category such as <c>Lu</c> or <c>L</c>; null when there is none of that name.</summary>
    public static Func<int, bool>? Category(string name)
    {
        if (name.Length is 0 or > 2)
            return null;
        uint wanted = 0;
        for (int i = 0; i < Names.Length; i++)
            if (Names[i].StartsWith(name, StringComparison.Ordinal))
                wanted |= 1u << i;
        return wanted == 0 ? null : c => (wanted >> (int)CharUnicodeInfo.GetUnicodeCategory(c) & 1) != 0;
    }

    // In the order of UnicodeCategory.
    private static readonly string[] Names =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc",
        "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];
}
