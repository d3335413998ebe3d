using LlmShearing.Model;
using LlmShearing.Scoring;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class BlockPerplexityScorerTests
{
    [Theory]
    [InlineData(64L << 20, 1L << 30)]
    [InlineData(1L << 16, 1L << 30)]
    [InlineData(1L << 16, 1L << 16)]
    public void Score_AnyBudget_EqualsRemovingBlocksOneByOne(long activationBytes, long stateBytes)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 5, hidden: 64, headDim: 16, intermediate: 96));
        TokenBatch[] batches = [.. TestBatches.Mixed(), TinyLlama.Batch(9, 40, 12), TestBatches.LeftPadded(TinyLlama.Rows(6, 50, 12, 9, 3, 2, 12, 11, 5))];
        ImportanceScores scores = ScoringGoldens.Score(new BlockPerplexityScorer(new BlockPerplexityOptions { MaxActivationBytes = activationBytes, MaxStateBytes = stateBytes }), model, batches);
        for (int i = 0; i < 5; i++)
            Near.Equal(Perplexity(model, batches, [i]), scores.Layers[i], 0, 1e-5, $"without block {i}");
    }

    [Fact]
    public void Score_BlocksLeftOut_EqualsRemovingThemToo()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 6));
        TokenBatch[] batches = TestBatches.Mixed();
        ImportanceScores scores = new BlockPerplexityScorer().Score(new ScoringRequest(model, PruningAxes.Layers, batches), IndexSet.Of([0, 3]));
        foreach (int i in new[] { 1, 2, 4, 5 })
            Near.Equal(Perplexity(model, batches, [0, 3, i]), scores.Layers[i], 0, 1e-5, $"without block {i}");
        Assert.Equal(double.PositiveInfinity, scores.Layers[0]);
        Assert.Equal(double.PositiveInfinity, scores.Layers[3]);
    }

    [Fact]
    public void Score_OneBlockLeft_IsThePerplexityOfTheEmbeddings()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2));
        TokenBatch[] batches = TestBatches.Full();
        ImportanceScores scores = new BlockPerplexityScorer().Score(new ScoringRequest(model, PruningAxes.Layers, batches), IndexSet.Of([1]));
        Silence(model.layers[0]);
        Silence(model.layers[1]);
        Near.Equal(Perplexity(model, batches, []), scores.Layers[0], 0, 1e-5);
        ImportanceScores none = new BlockPerplexityScorer().Score(new ScoringRequest(model, PruningAxes.Layers, batches), IndexSet.Of([0, 1]));
        Assert.All(none.Layers, s => Assert.Equal(double.PositiveInfinity, s));
    }

    [Fact]
    public void Score_BlockThatDoesNothing_GivesThePerplexityOfTheWholeModel()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 4));
        Silence(model.layers[2]);
        TokenBatch[] batches = TestBatches.Full();
        double dense = Perplexity(model, batches, []);
        Near.Equal(dense, ScoringGoldens.Score(new BlockPerplexityScorer(), model, batches).Layers[2], 0, 1e-6);
    }

    [Fact]
    public void Score_UniformLogits_GiveTheVocabularySize()
    {
        using LlamaModel model = TinyLlama.Create();
        using (no_grad())
            model.lm_head!.weight.zero_();
        Assert.All(ScoringGoldens.Score(new BlockPerplexityScorer(), model, TestBatches.Full()).Layers, s => Near.Equal(50, s, 0, 1e-5));
    }

    [Fact]
    public void Score_SameRowsInOtherBatches_GivesTheSameScores()
    {
        using LlamaModel model = TinyLlama.Create();
        int[][] rows = TinyLlama.Rows(5, 50, [.. Enumerable.Repeat(8, 10)]);
        ImportanceScores one = ScoringGoldens.Score(new BlockPerplexityScorer(), model, TokenBatch.Batches(rows, 1));
        ImportanceScores ten = ScoringGoldens.Score(new BlockPerplexityScorer(), model, TokenBatch.Batches(rows, 10));
        ScoringGoldens.Near([.. one.Layers], ten.Layers, 0, 1e-6, "blocks");
    }

    [Fact]
    public void Score_WeightNotFinite_NamesTheBlock()
    {
        using LlamaModel model = TinyLlama.Create();
        using (no_grad())
            model.layers[1].mlp!.down_proj.weight.fill_(float.NaN);
        foreach (IImportanceScorer scorer in new IImportanceScorer[] { new BlockPerplexityScorer(), new BlockInfluenceScorer(), new AngularDistanceScorer(), new BlockTaylorScorer() })
        {
            var error = Assert.Throws<ScoringException>(() => ScoringGoldens.Score(scorer, model, TestBatches.Full()));
            Assert.Contains("Block 1", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Score_RemovalBreaksTheModel_RanksLast()
    {
        // Block 0 takes away what block 1 adds: without block 0 the stream overflows to infinity, and the loss is not a number.
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 3, biases: true));
        using (no_grad())
        {
            model.embed_tokens.weight.fill_(2e38f);
            for (int i = 0; i < 3; i++)
            {
                Silence(model.layers[i]);
                model.layers[i].mlp!.down_proj.bias!.zero_();
                model.layers[i].self_attn!.o_proj.bias!.fill_(i == 0 ? -2e38f : i == 1 ? 2e38f : 0);
            }
        }

        ImportanceScores scores = ScoringGoldens.Score(new BlockPerplexityScorer(), model, TestBatches.Full());
        Assert.Equal(double.PositiveInfinity, scores.Layers[0]);
        Assert.True(double.IsFinite(scores.Layers[1]) && double.IsFinite(scores.Layers[2]));
        Assert.Equal(0, scores.LayerOrder()[^1]);
    }

    private static void Silence(LlamaBlock block)
    {
        using var frozen = no_grad();
        block.self_attn!.o_proj.weight.zero_();
        block.mlp!.down_proj.weight.zero_();
    }

    private static double Perplexity(LlamaModel model, TokenBatch[] batches, int[] removed)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using LlamaGates gates = LlamaGates.FromPlan(PruningPlan.RemoveBlocks(model.Config.Shape, removed));
        double sum = 0;
        long tokens = 0;
        foreach (TokenBatch batch in batches)
        {
            long scored = Enumerable.Range(0, batch.BatchSize).Sum(r => Enumerable.Range(1, batch.SequenceLength - 1).Count(t => batch.IsReal(r, t) && batch.IsReal(r, t - 1)));
            sum += PlainGradients.MeanLoss(model, batch, gates).item<float>() * (double)scored;
            tokens += scored;
        }

        return Math.Exp(sum / tokens);
    }
}
