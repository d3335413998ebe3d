using LlmShearing.Scoring;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class StateScorerTests
{
    [Fact]
    public void Score_BlockThatDoesNothing_HasNoInfluenceAndNoAngle()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 4));
        using (no_grad())
        {
            model.layers[2].self_attn!.o_proj.weight.zero_();
            model.layers[2].mlp!.down_proj.weight.zero_();
        }

        Near.Equal(0, ScoringGoldens.Score(new BlockInfluenceScorer(), model, TestBatches.Mixed()).Layers[2], 1e-6);
        ImportanceScores angular = ScoringGoldens.Score(new AngularDistanceScorer(), model, TestBatches.Mixed());
        Near.Equal(0, angular.Layers[2], 1e-6);
        Near.Equal(angular.BlockWindows[0][1], angular.BlockWindows[1][1], 1e-6);
    }

    [Fact]
    public void Score_AnyBudget_GivesTheSameScores()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 4, hidden: 64, headDim: 16, intermediate: 96));
        TokenBatch[] batches = [.. TestBatches.Mixed(), TinyLlama.Batch(9, 40, 12)];
        ImportanceScores one = ScoringGoldens.Score(new BlockInfluenceScorer(), model, batches);
        ImportanceScores many = ScoringGoldens.Score(new BlockInfluenceScorer(new BlockInfluenceOptions { MaxActivationBytes = 1 << 16, MaxStateBytes = 1 << 16 }), model, batches);
        ScoringGoldens.Near([.. one.Layers], many.Layers, 1e-6, 0, "influence");
        ImportanceScores angle = ScoringGoldens.Score(new AngularDistanceScorer(), model, batches);
        ImportanceScores angles = ScoringGoldens.Score(new AngularDistanceScorer(new AngularDistanceOptions { MaxActivationBytes = 1 << 16, MaxStateBytes = 1 << 16 }), model, batches);
        for (int n = 0; n < 3; n++)
            ScoringGoldens.Near([.. angle.BlockWindows[n]], angles.BlockWindows[n], 1e-6, 0, $"windows of {n + 1}");
    }

    [Fact]
    public void Score_PaddingSide_DoesNotMatter()
    {
        using LlamaModel model = TinyLlama.Create();
        int[][] rows = TinyLlama.Rows(3, 50, 9, 4, 6);
        foreach (IImportanceScorer scorer in new IImportanceScorer[] { new BlockInfluenceScorer(), new AngularDistanceScorer(), new BlockPerplexityScorer(), new BlockTaylorScorer(), new GateTaylorScorer() })
        {
            ImportanceScores right = ScoringGoldens.Score(scorer, model, [TokenBatch.FromRows(rows)]);
            ImportanceScores left = ScoringGoldens.Score(scorer, model, [TestBatches.LeftPadded(rows)]);
            ScoringGoldens.Near([.. right.Layers], left.Layers, 2e-6, 1e-4, scorer.GetType().Name);
        }
    }

    [Fact]
    public void Score_EveryWindow_LayersAreTheWindowsOfOneBlock()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 5));
        ImportanceScores scores = ScoringGoldens.Score(new AngularDistanceScorer(), model, TestBatches.Full());
        Assert.Equal(scores.Layers.ToArray(), scores.BlockWindows[0].ToArray());
        Assert.Equal([5, 4, 3, 2], scores.BlockWindows.Select(w => w.Length));
    }

    [Fact]
    public void Score_TwiceOnTheSameData_SameBits()
    {
        using LlamaModel model = TinyLlama.Create();
        foreach (IImportanceScorer scorer in new IImportanceScorer[] { new BlockInfluenceScorer(), new AngularDistanceScorer(), new BlockPerplexityScorer(), new BlockTaylorScorer(), new GateTaylorScorer(), new BlockMagnitudeScorer() })
            Assert.Equal(ScoringGoldens.Score(scorer, model, TestBatches.Mixed()).Layers.ToArray(), ScoringGoldens.Score(scorer, model, TestBatches.Mixed()).Layers.ToArray());
    }
}
