using LlmShearing.Scoring;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class BlockMagnitudeScorerTests
{
    [Theory]
    [InlineData(1.0)]
    [InlineData(2.0)]
    [InlineData(1.5)]
    public void Score_BlockScaled_ScoreScalesWithThePower(double power)
    {
        using LlamaModel model = TinyLlama.Create();
        var scorer = new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = power });
        double before = ScoringGoldens.Score(scorer, model, []).Layers[1];
        Change(() =>
        {
            foreach ((_, var weight) in Weights(model, 1))
                weight.mul_(-3);
        });
        Near.Equal(before * Math.Pow(3, power), ScoringGoldens.Score(scorer, model, []).Layers[1], 0, 1e-5);
    }

    [Fact]
    public void Score_Biases_DoNotCount()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(biases: true));
        double[] before = [.. ScoringGoldens.Score(new BlockMagnitudeScorer(), model, []).Layers];
        Change(() => model.layers[0].self_attn!.o_proj.bias!.fill_(100));
        Assert.Equal(before, ScoringGoldens.Score(new BlockMagnitudeScorer(), model, []).Layers.ToArray());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(2)]
    [InlineData(1)]
    public void Score_WidthAxes_SumUpToTheBlocks(int keyValueHeads)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(keyValueHeads: keyValueHeads));
        ImportanceScores scores = ScoringGoldens.Score(new BlockMagnitudeScorer(), model, [], PruningAxes.Width | PruningAxes.Layers);
        for (int i = 0; i < model.layers.Count; i++)
        {
            double norms = Norm(model.layers[i].input_layernorm!.weight) + Norm(model.layers[i].post_attention_layernorm!.weight);
            double sum = scores[PruningAxes.KeyValueGroups][i].Sum() + scores[PruningAxes.Intermediate][i].Sum() + norms;
            Near.Equal(scores.Layers[i], sum, 0, 1e-5, $"block {i}");
            if (keyValueHeads == 4)
                Assert.Equal(scores[PruningAxes.KeyValueGroups][i].ToArray(), scores[PruningAxes.QueryHeads][i].ToArray());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Score_Hidden_CountsEveryWeightThatTouchesTheResidualStream(bool tied)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(tied: tied));
        double[] hidden = [.. ScoringGoldens.Score(new BlockMagnitudeScorer(), model, [], PruningAxes.Hidden)[PruningAxes.Hidden][0]];
        double all = model.NamedWeights().Sum(w => Norm(w.Weight));
        Near.Equal(all, hidden.Sum(), 0, 1e-5, "sum");
        Change(() => model.norm.weight[3] = 50f);
        double[] after = [.. ScoringGoldens.Score(new BlockMagnitudeScorer(), model, [], PruningAxes.Hidden)[PruningAxes.Hidden][0]];
        Assert.Equal(3, Enumerable.Range(0, after.Length).Single(c => Math.Abs(after[c] - hidden[c]) > 1));
    }

    [Fact]
    public void Score_WeightNotFinite_NamesTheTensor()
    {
        using LlamaModel model = TinyLlama.Create();
        Change(() => model.layers[1].mlp!.up_proj.weight[0, 0] = float.NaN);
        var error = Assert.Throws<ScoringException>(() => ScoringGoldens.Score(new BlockMagnitudeScorer(), model, []));
        Assert.Contains("model.layers.1.mlp.up_proj.weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Score_SixteenBitWeights_ReducedInFloat32()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(), dtype: ScalarType.BFloat16);
        using LlamaModel wide = TinyLlama.Create(TinyLlama.Config());
        Change(() =>
        {
            foreach (((_, var to), (_, var from)) in wide.NamedWeights().Zip(model.NamedWeights()))
                to.copy_(from);
        });
        ImportanceScores expected = ScoringGoldens.Score(new BlockMagnitudeScorer(), wide, []);
        ScoringGoldens.Near([.. expected.Layers], ScoringGoldens.Score(new BlockMagnitudeScorer(), model, []).Layers, 0, 1e-6, "blocks");
    }

    private static double Norm(Tensor weight)
    {
        using var scope = NewDisposeScope();
        return weight.detach().abs().to(ScalarType.Float64).sum().item<double>();
    }

    private static IEnumerable<(string Name, TorchSharp.Modules.Parameter Weight)> Weights(LlamaModel model, int layer) =>
        model.NamedWeights().Where(w => w.Name.StartsWith($"model.layers.{layer}.", StringComparison.Ordinal));

    private static void Change(Action change)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        change();
    }
}
