using LlmShearing.Tokenizers.Normalization;
using LlmShearing.Tokenizers.Unicode;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>The library's own normalization forms: string.Normalize does nothing under InvariantGlobalization.</summary>
public class UnicodeNormalizerTests
{
    [Theory]
    [InlineData("e\u0301", "\u00E9", "e\u0301", "\u00E9", "e\u0301")]
    [InlineData("\u212B\uFB01\u00BD", "\u00C5\uFB01\u00BD", "A\u030A\uFB01\u00BD", "\u00C5fi1\u20442", "A\u030Afi1\u20442")]
    [InlineData("\uD55C\u1112\u1161\u11AB", "\uD55C\uD55C", "\u1112\u1161\u11AB\u1112\u1161\u11AB", "\uD55C\uD55C", "\u1112\u1161\u11AB\u1112\u1161\u11AB")]
    [InlineData("a\u0323\u0307 a\u0307\u0323", "\u1EA1\u0307 \u1EA1\u0307", "a\u0323\u0307 a\u0323\u0307", "\u1EA1\u0307 \u1EA1\u0307", "a\u0323\u0307 a\u0323\u0307")]
    [InlineData("\u0958\u1E9B\u0323", "\u0915\u093C\u1E9B\u0323", "\u0915\u093C\u017F\u0323\u0307", "\u0915\u093C\u1E69", "\u0915\u093Cs\u0323\u0307")]
    [InlineData("\u00E9\u00A0x", "\u00E9\u00A0x", "e\u0301\u00A0x", "\u00E9 x", "e\u0301 x")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65")]
    [InlineData("plain", "plain", "plain", "plain", "plain")]
    public void Apply_EachForm_GivesTheStandardResult(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, Normalize(text, compatible: false, compose: true));
        Assert.Equal(nfd, Normalize(text, compatible: false, compose: false));
        Assert.Equal(nfkc, Normalize(text, compatible: true, compose: true));
        Assert.Equal(nfkd, Normalize(text, compatible: true, compose: false));
    }

    [Fact]
    public void Apply_LongRunOfMarks_KeepsTheOrderOfEquals()
    {
        string marks = string.Concat(Enumerable.Range(0, 50_000).Select(i => i % 3 == 0 ? "\u0301" : i % 3 == 1 ? "\u0316" : "\u0300"));
        string ordered = Normalize("x" + marks, compatible: false, compose: false);
        Assert.Equal('\u0316', ordered[1]);
        Assert.Equal(marks.Replace("\u0316", "", StringComparison.Ordinal), ordered.Replace("\u0316", "", StringComparison.Ordinal)[1..]);
    }

    private static string Normalize(string text, bool compatible, bool compose) =>
        new NormalizerChain([new UnicodeNormalizer(compatible, compose)]).Apply(text);
}
