// Block scores of Shortened LLaMA's own scripts: goldens depth/scores.json and depth/greedy_ppl.json.
using System.Text.Json;
using LlmShearing.Planning;
using LlmShearing.Scoring;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class DepthScoresGoldenTests
{
    private const double Tolerance = 2e-5;
    private const double ProductTolerance = 2e-4;
    private static readonly JsonElement Cases = ScoringGoldens.Json("baselines/depth/scores.json");

    public static TheoryData<string> CaseIds() => [.. Cases.EnumerateArray().Select(c => c.GetProperty("id").GetString()!)];

    [Theory]
    [MemberData(nameof(CaseIds))]
    public void Score_ReferenceCase_ScoresAndOrderAgree(string id)
    {
        JsonElement expected = Cases.EnumerateArray().Single(c => c.GetProperty("id").GetString() == id);
        ImportanceScores scores = ScoringGoldens.Score(Scorer(expected), ScoringGoldens.Model(expected.GetProperty("model").GetString()!), Calibration(expected));
        double[] blocks = ScoringGoldens.Numbers(expected.GetProperty("block_scores"));
        // A product over rows overflows or vanishes: there only the order is comparable, and the values that survive.
        bool product = id.Contains("prod", StringComparison.Ordinal);
        ScoringGoldens.Near(blocks, scores.Layers, 0, product ? ProductTolerance : Tolerance, id);
        Assert.Equal(ScoringGoldens.Ints(expected.GetProperty("order")), scores.LayerOrder());
    }

    [Theory]
    [InlineData("mha12")]
    [InlineData("gqa10")]
    public void Score_BlocksLeftOut_FollowsTheGreedyReference(string model)
    {
        JsonElement expected = ScoringGoldens.Json("baselines/depth/greedy_ppl.json").EnumerateArray().Single(c => c.GetProperty("model").GetString() == model);
        TokenBatch[] data = [ScoringGoldens.Batch(ScoringGoldens.Rows("baselines/depth/calib.safetensors", expected.GetProperty("calib").GetString()!))];
        var scorer = new BlockPerplexityScorer();
        var removed = new List<int>();
        foreach (JsonElement step in expected.GetProperty("steps").EnumerateArray())
        {
            ImportanceScores scores = scorer.Score(new ScoringRequest(ScoringGoldens.Model(model), PruningAxes.Layers, data), IndexSet.Of(removed));
            int[] alive = ScoringGoldens.Ints(step.GetProperty("alive"));
            ScoringGoldens.Near(ScoringGoldens.Numbers(step.GetProperty("ppl_if_removed")), [.. alive.Select(i => scores.Layers[i])], 0, 1e-5, $"step {removed.Count}");
            Assert.All(removed, i => Assert.Equal(double.PositiveInfinity, scores.Layers[i]));
            Assert.Equal(step.GetProperty("picked_original").GetInt32(), scores.LayerOrder()[0]);
            removed.Add(scores.LayerOrder()[0]);
        }

        Assert.Equal(ScoringGoldens.Ints(expected.GetProperty("removed")), removed);
        var plan = new IterativeDepthPruner(new BlockDepthOptions { Count = removed.Count })
            .CreatePlan(scorer, new ScoringRequest(ScoringGoldens.Model(model), PruningAxes.Layers, data));
        Assert.Equal(removed, plan.Provenance!.RemovedBlocks!);
    }

    private static IImportanceScorer Scorer(JsonElement c)
    {
        if (c.GetProperty("criterion").GetString() == "ppl")
            return new BlockPerplexityScorer();
        (double power, ScoreReduction rows, ScoreReduction blocks) =
            (c.GetProperty("norm_power").GetDouble(), Reduction(c.GetProperty("weight_reduction")), Reduction(c.GetProperty("block_reduction")));
        return c.GetProperty("criterion").GetString() == "magnitude"
            ? new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = power, WeightReduction = rows, BlockReduction = blocks })
            : new BlockTaylorScorer(new BlockTaylorOptions { NormPower = power, WeightReduction = rows, BlockReduction = blocks });
    }

    private static ScoreReduction Reduction(JsonElement e) => e.GetString() switch
    {
        "sum" => ScoreReduction.Sum,
        "mean" => ScoreReduction.Mean,
        "max" => ScoreReduction.Max,
        "prod" => ScoreReduction.Product,
        var other => throw new InvalidDataException($"Unknown reduction '{other}'."),
    };

    private static IEnumerable<TokenBatch> Calibration(JsonElement c) => c.TryGetProperty("calib", out JsonElement name)
        ? TokenBatch.Batches(ScoringGoldens.Rows("baselines/depth/calib.safetensors", name.GetString()!), c.TryGetProperty("batch_size", out JsonElement size) ? size.GetInt32() : 1)
        : [];
}
