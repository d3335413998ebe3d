using LlmShearing.Scoring;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class ScoringInputTests
{
    private static readonly IImportanceScorer[] OfData = [new BlockInfluenceScorer(), new AngularDistanceScorer(), new BlockPerplexityScorer(), new BlockTaylorScorer(), new GateTaylorScorer()];

    [Fact]
    public void Score_AxisNotSupported_NamesTheAxesAndTheScorer()
    {
        using LlamaModel model = TinyLlama.Create();
        var error = Assert.Throws<ScoringException>(() => ScoringGoldens.Score(new BlockPerplexityScorer(), model, TestBatches.Full(), PruningAxes.Layers | PruningAxes.Hidden));
        Assert.Equal("'block-perplexity' cannot score Hidden; it scores: Layers. Ask for those, or use another scorer.", error.Message);
        error = Assert.Throws<ScoringException>(() => ScoringGoldens.Score(new BlockMagnitudeScorer(), model, [], PruningAxes.None));
        Assert.StartsWith("No axis was asked for.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_NoCalibration_IsRefused()
    {
        using LlamaModel model = TinyLlama.Create();
        foreach (IImportanceScorer scorer in OfData)
            Assert.Contains("needs calibration data", Assert.Throws<TokenDataException>(() => ScoringGoldens.Score(scorer, model, [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_IdOutsideTheVocabulary_NamesThePlaceAndBothNumbers()
    {
        using LlamaModel model = TinyLlama.Create();
        TokenBatch[] batches = [TestBatches.Full()[0], TokenBatch.FromRows([[1, 2, 3], [4, 5, 50]])];
        foreach (IImportanceScorer scorer in OfData)
            Assert.Equal(
                "Calibration batch 1, row 1, token 2: id 50 is outside the vocabulary of 50. Use the tokenizer of the model.",
                Assert.Throws<TokenDataException>(() => ScoringGoldens.Score(scorer, model, batches)).Message);
    }

    [Fact]
    public void Score_RowTooShort_NamesTheRow()
    {
        using LlamaModel model = TinyLlama.Create();
        TokenBatch[] batches = [TokenBatch.FromRows([[1, 2, 3], [4]])];
        foreach (IImportanceScorer scorer in new IImportanceScorer[] { new BlockPerplexityScorer(), new BlockTaylorScorer(), new GateTaylorScorer() })
        {
            Assert.Contains("batch 0, row 1", Assert.Throws<TokenDataException>(() => ScoringGoldens.Score(scorer, model, batches)).Message, StringComparison.Ordinal);
            TokenBatch[] apart = [new TokenBatch(1, 3, [1, 2, 3], [true, false, true])];
            Assert.Contains("nothing to score", Assert.Throws<TokenDataException>(() => ScoringGoldens.Score(scorer, model, apart)).Message, StringComparison.Ordinal);
        }

        ScoringGoldens.Score(new BlockInfluenceScorer(), model, batches);
    }

    [Fact]
    public void Constructor_OptionsOutOfRange_ListsAllOfThem()
    {
        var error = Assert.Throws<ScoringException>(() => new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = 0, BlockReduction = (ScoreReduction)9 }));
        Assert.Contains("NormPower", error.Message, StringComparison.Ordinal);
        Assert.Contains("BlockReduction", error.Message, StringComparison.Ordinal);
        Assert.Throws<ScoringException>(() => new BlockPerplexityScorer(new BlockPerplexityOptions { MaxActivationBytes = 0 }));
        Assert.Throws<ScoringException>(() => new BlockTaylorScorer(new BlockTaylorOptions { NormPower = double.NaN }));
        Assert.Throws<ScoringException>(() => new AngularDistanceScorer(new AngularDistanceOptions { States = (AngularStates)5 }));
    }

    [Fact]
    public void Score_Progress_RunsFromOneToTotal()
    {
        using LlamaModel model = TinyLlama.Create();
        foreach (IImportanceScorer scorer in OfData.Append(new BlockMagnitudeScorer()))
        {
            var seen = new List<ShearingProgress>();
            scorer.Score(new ScoringRequest(model, PruningAxes.Layers, TestBatches.Mixed()), new Inline(seen.Add));
            Assert.Equal(Enumerable.Range(1, seen.Count).Select(i => (long)i), seen.Select(p => p.Completed));
            Assert.All(seen, p => Assert.Equal(seen.Count, p.Total));
        }
    }
}
