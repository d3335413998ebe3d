using LlmShearing.Evaluation;

namespace LlmShearing.Core.Tests.Evaluation;

public sealed class WindowBuilderTests
{
    private const int Vocabulary = 1000;
    private const int Bos = 999;

    private static int[] Stream(int length) => [.. Enumerable.Range(0, length)];

    private static PerplexityWindows Build(PerplexityProtocol protocol, params int[][] rows) =>
        WindowBuilder.Build(rows, protocol, Vocabulary, Bos);

    [Fact]
    public void Build_LlmPruner_DropsTheTail()
    {
        PerplexityWindows result = Build(PerplexityProtocol.Preset("llm-pruner", 10), Stream(47));
        Assert.Equal(4, result.Windows.Count);
        Assert.Equal(36, result.Windows.Sum(w => w.Scored));
        Assert.Equal(7, result.UnusedTokens);
        Assert.Equal(Enumerable.Range(30, 10), result.Windows[3].Ids);
        Assert.Equal(30, result.Windows[3].Start);
    }

    [Fact]
    public void Build_TenWindowsOf128_Score1270Tokens() =>
        Assert.Equal(1270, Build(PerplexityProtocol.Preset("llm-pruner"), [.. Enumerable.Repeat(3, 1280)]).Windows.Sum(w => w.Scored));

    [Fact]
    public void Build_BosOnce_CountsInTheFirstWindow()
    {
        PerplexityWindows result = Build(PerplexityProtocol.Preset("shortened-llama", 10), Stream(20));
        Assert.Equal(2, result.Windows.Count);
        Assert.Equal([Bos, .. Enumerable.Range(0, 9)], result.Windows[0].Ids);
        Assert.Equal(Enumerable.Range(9, 10), result.Windows[1].Ids);
        Assert.Equal(1, result.UnusedTokens);
    }

    [Fact]
    public void Build_BosEveryWindow_AddsATokenToEach()
    {
        PerplexityWindows result = Build(PerplexityProtocol.Preset("shortened-llama-bos", 10), Stream(20));
        Assert.Equal(2, result.Windows.Count);
        Assert.All(result.Windows, w => Assert.Equal((11, Bos, 10), (w.Ids.Length, w.Ids[0], w.Scored)));
    }

    [Fact]
    public void Build_Strided_ScoresEveryTokenButTheFirstOnce()
    {
        PerplexityWindows result = Build(PerplexityProtocol.Preset("strided", 16, 5), Stream(43));
        Assert.Equal([0, 5, 10, 15, 20, 25, 30], result.Windows.Select(w => w.Start));
        Assert.Equal(Enumerable.Range(1, 42), result.Windows.SelectMany(w => w.Ids[w.FirstScored..]));
        Assert.Equal([16, 5, 5, 5, 5, 5, 2], result.Windows.Select(w => w.Labels));
    }

    [Fact]
    public void Preset_WithLengthOnly_KeepsTheProportionOfTheStride() =>
        Assert.Equal((512, 256), (PerplexityProtocol.Preset("strided", 512).WindowLength, PerplexityProtocol.Preset("strided", 512).Stride));

    [Fact]
    public void Build_StreamInPieces_EqualsOnePiece()
    {
        PerplexityProtocol protocol = PerplexityProtocol.Preset("llm-pruner", 10);
        Assert.Equal(
            Build(protocol, Stream(47)).Windows.Select(w => string.Join(",", w.Ids)),
            Build(protocol, Stream(47)[..13], [], Stream(47)[13..]).Windows.Select(w => string.Join(",", w.Ids)));
    }

    [Fact]
    public void Build_Documents_KeepsThemApartAndCountsShortOnes()
    {
        PerplexityProtocol protocol = PerplexityProtocol.Documents with { WindowLength = 10 };
        PerplexityWindows result = Build(protocol, Stream(23), [5], Stream(4), Stream(21));
        Assert.Equal([(0, 0, 10), (0, 10, 10), (0, 20, 3), (2, 0, 4), (3, 0, 10), (3, 10, 10)], result.Windows.Select(w => (w.Row, w.Start, w.Ids.Length)));
        Assert.Equal((1, 2L), (result.SkippedSequences, result.UnusedTokens));   // the lone row, and the last token of row 3
    }

    [Fact]
    public void Build_MaxWindows_StopsThere()
    {
        PerplexityWindows result = Build(PerplexityProtocol.Preset("flap", 10) with { MaxWindows = 2 }, Stream(47));
        Assert.Equal((2, 27L), (result.Windows.Count, result.UnusedTokens));
    }

    [Fact]
    public void Build_RowOfOneToken_IsRefusedByRows()
    {
        var e = Assert.Throws<TokenDataException>(() => Build(PerplexityProtocol.Rows, Stream(5), [7]));
        Assert.Equal("Row 1 has 1 tokens, of which the protocol 'rows' can score none (at least 2 are needed). Remove the row, or let short sequences be skipped.", e.Message);
    }

    [Fact]
    public void Build_IdOutsideTheVocabulary_IsNamed()
    {
        var e = Assert.Throws<TokenDataException>(() => Build(PerplexityProtocol.Rows, Stream(5), [7, 1000, 3]));
        Assert.Equal("Row 1, token 1: id 1000 is outside the model's vocabulary of 1000. Tokenise the text with the tokenizer of this model.", e.Message);
    }

    [Fact]
    public void Build_NegativeId_IsRefused() =>
        Assert.Contains("id -1", Assert.Throws<TokenDataException>(() => Build(PerplexityProtocol.Rows, [1, -1])).Message, StringComparison.Ordinal);

    [Fact]
    public void Build_StreamShorterThanAWindow_SaysWhatToDo()
    {
        var e = Assert.Throws<TokenDataException>(() => Build(PerplexityProtocol.Preset("flap"), Stream(100)));
        Assert.Equal("There is nothing to score: 100 tokens in 1 rows give no window under the protocol 'flap' (windows of 128 tokens, tail dropped). Give more text, shorter windows, or keep the tail.", e.Message);
    }

    [Fact]
    public void Build_NoRows_IsRefused() => Assert.Throws<TokenDataException>(() => Build(PerplexityProtocol.Documents));

    [Fact]
    public void Build_BosUnknown_IsRefused() =>
        Assert.Throws<TokenDataException>(() => WindowBuilder.Build([Stream(300)], PerplexityProtocol.Preset("shortened-llama"), Vocabulary));

    [Fact]
    public void Preset_Unknown_ListsTheNames() =>
        Assert.StartsWith(
            "No perplexity protocol is called 'flop'. Known: documents, rows, llm-pruner, shortened-llama, shortened-llama-bos, flap, strided.",
            Assert.Throws<ArgumentException>(() => PerplexityProtocol.Preset("flop")).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("llm-pruner", 1, null)]
    [InlineData("strided", 10, 11)]
    [InlineData("strided", 10, 0)]
    [InlineData("rows", null, 4)]
    public void Preset_LengthsThatDoNotFit_AreRefused(string name, int? length, int? stride) =>
        Assert.Throws<ArgumentException>(() => PerplexityProtocol.Preset(name, length, stride));

    [Fact]
    public void From_LabelWeighted_FollowsThePublishedFormula()
    {
        PerplexityWindow[] windows = [new([1, 2, 3, 4], 0, 0, 0), new([3, 4, 5, 6], 2, 0, 2)];
        PerplexityResult result = PerplexityResult.From(windows, [[1, 2, 3], [4, 6]], PerplexityProtocol.Preset("strided"));
        Assert.Equal(Math.Exp(((2.0 * 3) + (5.0 * 1)) / 4), result.Perplexity, 1e-12);
        Assert.Equal(16.0 / 5, result.MeanNll, 1e-12);
        Assert.Equal((5L, 2), (result.Tokens, result.Windows));
    }

    [Fact]
    public void From_WindowMean_GivesEveryWindowTheSameWeight()
    {
        PerplexityWindow[] windows = [new([1, 2, 3, 4], 0, 0, 0), new([5, 6], 0, 1, 0)];
        PerplexityResult result = PerplexityResult.From(windows, [[1, 2, 3], [4]], PerplexityProtocol.Preset("flap"));
        Assert.Equal(Math.Exp(3), result.Perplexity, 1e-12);
        Assert.Equal(2.5, result.MeanNll, 1e-12);
    }
}
