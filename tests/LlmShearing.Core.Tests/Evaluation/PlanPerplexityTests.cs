using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Surgery;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Evaluation;

/// <summary>The perplexity of a plan, measured before cutting, is that of the cut model.</summary>
public sealed class PlanPerplexityTests
{
    private static readonly int[][] Rows = TinyLlama.Rows(11, 50, 33, 7, 20);

    [Theory]
    [InlineData(4, false)]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public void Evaluate_GatesOfAPlan_EqualTheCutModel(int groups, bool biases)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 4, keyValueHeads: groups, biases: biases), 9);
        model.Save(folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        var plan = new PruningPlan
        {
            Source = model.Config.Shape,
            Hidden = IndexSet.Parse("0-4,7-15"),
            Layers =
            [
                new LayerPlan(0, IndexSet.Parse("0,1"), IndexSet.Parse("0-9,12,20-23")),
                new LayerPlan(2, IndexSet.All(4), IndexSet.Empty),
                new LayerPlan(3, IndexSet.Empty, IndexSet.Parse("5-23")),
            ],
        };
        using LlamaModel cut = ModelSurgery.Apply(model, plan);
        using LlamaGates gates = LlamaGates.FromPlan(plan);
        var evaluator = new PerplexityEvaluator();
        double expected = evaluator.Evaluate(cut, Rows).MeanNll;
        Assert.Equal(expected, evaluator.Evaluate(model, Rows, gates: gates).MeanNll, 1e-5);
        Assert.Equal(expected, evaluator.Evaluate(streamed, Rows, gates: gates).MeanNll, 1e-5);
        Assert.NotEqual(expected, evaluator.Evaluate(model, Rows).MeanNll, 0.01);
    }
}
