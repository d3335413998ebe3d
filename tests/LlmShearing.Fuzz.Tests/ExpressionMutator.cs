// Split expressions of tokenizers, made at random: of the pieces that published ones have, of what the compiler refuses, and of what takes much for little.
using System.Text;

namespace LlmShearing.Fuzz.Tests;

internal static class ExpressionMutator
{
    private static readonly string[] Atoms =
    [
        "a", "b", "ab", " ", "'", "é", "😀", "\\s", "\\S", "\\d", "\\w", "\\W", "\\p{L}", "\\p{N}", "\\P{L}", "\\p{^Lu}", "\\p{Lu}", "[^\\s\\p{L}\\p{N}]", "[a-z]", "[^\\r\\n]", "[𐐀-𐐧]", "\\u4e00", ".", "$", "\\r", "\\n", "\\/",
    ];

    private static readonly string[] Refused =
    [
        "\\b", "^", "\\1", "[[:alpha:]]", "[a&&b]", "[", "]", "(", ")", "\\p{", "\\p{}", "\\p{Han}", "\\p", "\\", "{", "}", "\\x41", "\\u12", "\\ud800", "(?<=a)", "(?<n>a)", "(?#x)", "[]", "[^]", "[b-a]", "[a-\\s]", "[a-", "\\u{1F600}", "|", "*", "\0",
    ];

    private static readonly string[] Quantifiers = ["*", "+", "?", "{2}", "{1,3}", "{3,}", "{0}", "{0,1}", "{1000}", "{,2}", "*?", "++", "?+", "*+", "+*", "{2}+", "{-1}", "{3,2}", "{99999999999}", "{"];

    private static readonly string[] Groups = ["(", "(?:", "(?i:", "(?=", "(?!", "(?>", "(?s:", "(?<!"];

    /// <summary>The same number always gives the same expression.</summary>
    public static string Make(Random random) => random.Next(10) == 0 ? Monster(random) : Alternatives(random, 4);

    private static string Alternatives(Random random, int depth) =>
        string.Join('|', Enumerable.Range(0, 1 + random.Next(depth)).Select(_ => string.Concat(Enumerable.Range(0, random.Next(5)).Select(_ => Quantified(random, depth)))));

    private static string Quantified(Random random, int depth)
    {
        string atom = random.Next(24) == 0 ? Pick(Refused, random)
            : depth > 1 && random.Next(4) == 0 ? Pick(Groups[..(random.Next(8) == 0 ? 8 : 6)], random) + Alternatives(random, depth - 1) + ")"
            : Pick(Atoms, random);
        return random.Next(3) == 0 ? atom + Pick(Quantifiers[..(random.Next(4) == 0 ? Quantifiers.Length : 6)], random) : atom;
    }

    private static string Monster(Random random)
    {
        int many = new[] { 60, 70, 1000, 20_000, 300_000 }[random.Next(5)];
        string atom = Pick(Atoms, random);
        return random.Next(9) switch
        {
            0 => Repeat(Pick(Groups, random), many) + atom + Repeat(")", many),
            1 => Repeat(Pick(Groups, random), many),
            2 => string.Join('|', Enumerable.Repeat(atom, many)),
            3 => "[" + Repeat("ab-dé\\s", many / 5) + "]+",
            4 => Repeat("(", Math.Min(many, 70)) + atom + Repeat("){1000}", Math.Min(many, 70)),
            5 => Repeat("(?:a|", many) + atom + Repeat(")", many),
            6 => Repeat(atom, many),
            7 => "(?:(?:a|a)+)+" + Pick(["b", "$", "(?!a)", ""], random),
            _ => Repeat("(?:a?", 30) + Repeat(")", 30) + Repeat("a", 30),
        };
    }

    private static string Repeat(string text, int times) => new StringBuilder(text.Length * times).Insert(0, text, times).ToString();

    private static string Pick(string[] texts, Random random) => texts[random.Next(texts.Length)];
}
