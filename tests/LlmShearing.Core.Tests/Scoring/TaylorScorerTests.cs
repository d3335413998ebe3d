using LlmShearing.Model;
using LlmShearing.Scoring;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class TaylorScorerTests
{
    private const PruningAxes AllAxes = PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers;

    [Theory]
    [InlineData(4, false, false)]
    [InlineData(2, true, false)]
    [InlineData(1, false, true)]
    public void Score_Blocks_EqualPlainBackwardThroughTheWholeModel(int keyValueHeads, bool tied, bool biases)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(keyValueHeads: keyValueHeads, tied: tied, biases: biases));
        TokenBatch[] batches = TestBatches.Mixed();
        ImportanceScores scores = ScoringGoldens.Score(new BlockTaylorScorer(), model, batches);
        for (int layer = 0; layer < model.layers.Count; layer++)
        {
            var weights = BlockWeights.Of(model.layers[layer]);
            double[][] gradients = PlainGradients.Of(model, batches, [.. weights.Select(w => (Tensor)w.Weight)]);
            double expected = weights.Zip(gradients).Sum(p => Values(p.First.Weight).Zip(p.Second).Sum(v => Math.Abs(v.First * v.Second)));
            Near.Equal(expected, scores.Layers[layer], 0, 2e-5, $"block {layer}");
        }
    }

    [Fact]
    public void Score_TenRowsAsTenBatches_IsTenTimesTheScoreOfOneBatch()
    {
        using LlamaModel model = TinyLlama.Create();
        int[][] rows = TinyLlama.Rows(5, 50, [.. Enumerable.Repeat(8, 10)]);
        ImportanceScores one = ScoringGoldens.Score(new BlockTaylorScorer(), model, TokenBatch.Batches(rows, 10));
        ImportanceScores ten = ScoringGoldens.Score(new BlockTaylorScorer(), model, TokenBatch.Batches(rows, 1));
        ScoringGoldens.Near([.. one.Layers.Select(s => 10 * s)], ten.Layers, 0, 2e-5, "blocks");
    }

    [Fact]
    public void Score_SeveralBatches_AbsoluteValueComesAfterTheSum()
    {
        using LlamaModel model = TinyLlama.Create();
        TokenBatch[] batches = TestBatches.Full(4);
        ImportanceScores together = ScoringGoldens.Score(new BlockTaylorScorer(), model, batches);
        double[] apart = new double[together.Layers.Length];
        foreach (TokenBatch batch in batches)
            for (int i = 0; i < apart.Length; i++)
                apart[i] += ScoringGoldens.Score(new BlockTaylorScorer(), model, [batch]).Layers[i];
        for (int i = 0; i < apart.Length; i++)
            Assert.True(together.Layers[i] < 0.95 * apart[i], $"block {i}: {together.Layers[i]} against {apart[i]}");
    }

    [Theory]
    [InlineData(4, false, false, false)]
    [InlineData(2, true, false, false)]
    [InlineData(1, false, true, false)]
    [InlineData(2, false, true, true)]
    public void Score_GatesOfEveryAxis_EqualPlainBackwardThroughTheWholeModel(int keyValueHeads, bool tied, bool biases, bool perBatch)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(keyValueHeads: keyValueHeads, tied: tied, biases: biases));
        TokenBatch[] batches = TestBatches.Mixed();
        ImportanceScores scores = ScoringGoldens.Score(new GateTaylorScorer(new GateTaylorOptions { AbsolutePerBatch = perBatch }), model, batches, AllAxes);
        using LlamaGates gates = LlamaGates.Ones(model.Config.Shape, AllAxes, requiresGrad: true);
        TokenBatch[][] groups = perBatch ? [.. batches.Select(b => new[] { b })] : [batches];
        double[][][] gradients = [.. groups.Select(g => PlainGradients.Of(model, g, [.. gates.Tensors()], gates))];
        double[][] expected = [.. gradients[0].Select((g, t) => g.Select((_, u) => gradients.Sum(b => Math.Abs(b[t][u]))).ToArray())];
        PruningAxes[] order = [PruningAxes.Hidden, PruningAxes.Attention, PruningAxes.Mlp, PruningAxes.Layers, PruningAxes.QueryHeads, PruningAxes.KeyValueGroups, PruningAxes.Intermediate];
        double[][] actual = [.. order.SelectMany(axis => scores[axis].Select(row => row.ToArray()))];
        Assert.Equal(expected.Length, actual.Length);
        for (int t = 0; t < expected.Length; t++)
            ScoringGoldens.Near(expected[t], actual[t], 2e-6, 1e-4, $"table {t}");
    }

    [Fact]
    public void Score_GateOfAChannel_IsTheSumOfWeightTimesGradientOverItsColumn()
    {
        using LlamaModel model = TinyLlama.Create();
        TokenBatch[] batches = TestBatches.Full();
        ImportanceScores scores = ScoringGoldens.Score(new GateTaylorScorer(), model, batches, PruningAxes.Intermediate | PruningAxes.Mlp | PruningAxes.QueryHeads);
        LlamaMlp mlp = model.layers[1].mlp!;
        LlamaAttention attention = model.layers[1].self_attn!;
        double[][] gradients = PlainGradients.Of(model, batches, [mlp.down_proj.weight, attention.o_proj.weight]);
        double[] products = Products(mlp.down_proj.weight, gradients[0], channels: 24);
        ScoringGoldens.Near([.. products.Select(Math.Abs)], scores[PruningAxes.Intermediate][1], 1e-6, 1e-4, "channels");
        Near.Equal(Math.Abs(products.Sum()), scores[PruningAxes.Mlp][0][1], 1e-6, 1e-4, "sub-block");
        double[] heads = [.. Products(attention.o_proj.weight, gradients[1], channels: 16).Chunk(4).Select(c => Math.Abs(c.Sum()))];
        ScoringGoldens.Near(heads, scores[PruningAxes.QueryHeads][1], 1e-6, 1e-4, "heads");
    }

    [Fact]
    public void Score_UnevenModel_MissingSubBlocksScoreZero()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config([new(4, 2, 24), new(0, 0, 12), new(2, 1, 0)]));
        ImportanceScores blocks = ScoringGoldens.Score(new BlockTaylorScorer(), model, TestBatches.Mixed());
        Assert.All(blocks.Layers, s => Assert.True(s > 0));
        ImportanceScores gates = ScoringGoldens.Score(new GateTaylorScorer(), model, TestBatches.Mixed(), AllAxes);
        Assert.Equal(0, gates[PruningAxes.Attention][0][1]);
        Assert.Equal(0, gates[PruningAxes.Mlp][0][2]);
        Assert.Equal(12, gates[PruningAxes.Intermediate][1].Length);
    }

    [Fact]
    public void Score_ModelInTraining_FlagsAndGradientsStayAsTheyWere()
    {
        using LlamaModel model = TinyLlama.Create();
        model.train();
        var trained = model.layers[0].mlp!.up_proj.weight;
        trained.requires_grad = true;
        model.norm.weight.requires_grad = true;
        using (var scope = NewDisposeScope())
            PlainGradients.MeanLoss(model, TestBatches.Full()[0]).backward();
        double[] before = Values(trained.grad!);
        foreach (IImportanceScorer scorer in new IImportanceScorer[] { new BlockTaylorScorer(), new GateTaylorScorer(), new BlockPerplexityScorer(), new BlockInfluenceScorer(), new AngularDistanceScorer(), new BlockMagnitudeScorer() })
        {
            ScoringGoldens.Score(scorer, model, TestBatches.Mixed());
            using var stop = new CancellationTokenSource();
            Assert.ThrowsAny<OperationCanceledException>(() => scorer.Score(
                new ScoringRequest(model, PruningAxes.Layers, TestBatches.Mixed()), new Inline(p => { if (p.Completed == 2) stop.Cancel(); }), stop.Token));
        }

        Assert.True(model.training);
        Assert.True(is_grad_enabled());
        Assert.Equal(["model.layers.0.mlp.up_proj.weight", "model.norm.weight"], model.NamedWeights().Where(w => w.Weight.requires_grad).Select(w => w.Name));
        Assert.All(model.NamedWeights().Where(w => !w.Weight.requires_grad), w => Assert.Null(w.Weight.grad));
        Assert.Equal(before, Values(trained.grad!));
    }

    // [out, channels] -> sum over out of W * g, by channel.
    private static double[] Products(Tensor weight, double[] gradient, int channels)
    {
        double[] sums = new double[channels], values = Values(weight);
        for (int i = 0; i < values.Length; i++)
            sums[i % channels] += values[i] * gradient[i];
        return sums;
    }

    private static double[] Values(Tensor x)
    {
        using var scope = NewDisposeScope();
        return x.detach().reshape(-1).to(ScalarType.Float64).data<double>().ToArray();
    }
}
