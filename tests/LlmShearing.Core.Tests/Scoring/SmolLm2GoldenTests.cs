// Every criterion on a real model of 30 blocks: golden smollm2/scores.json.
using System.Text.Json;
using LlmShearing.Scoring;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

[Trait("Category", "Slow")]
public sealed class SmolLm2GoldenTests
{
    private const double Tolerance = 2e-5;
    private const double AngleTolerance = 2e-6;
    private static readonly Lazy<LlamaModel> Model = new(() => LlamaModel.Load(SmolLm2.Folder()));
    private static readonly Lazy<JsonElement> Expected = new(() => ScoringGoldens.Json("baselines/smollm2/scores.json"));

    [SmolLm2Theory("baselines/smollm2")]
    [InlineData("magnitude", 1)]
    [InlineData("magnitude", 2)]
    [InlineData("taylor", 1)]
    [InlineData("ppl", 0)]
    public void Score_BlockCriterion_ScoresAndOrderAgree(string criterion, int power)
    {
        JsonElement expected = Expected.Value.GetProperty("depth").EnumerateArray()
            .Single(c => c.GetProperty("criterion").GetString() == criterion && (power == 0 || c.GetProperty("norm_power").GetInt32() == power));
        IImportanceScorer scorer = criterion switch
        {
            "magnitude" => new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = power }),
            "taylor" => new BlockTaylorScorer(),
            _ => new BlockPerplexityScorer(),
        };
        ImportanceScores scores = ScoringGoldens.Score(scorer, Model.Value, [Calibration()]);
        Assert.Equal(ScoringGoldens.Ints(expected.GetProperty("order")), scores.LayerOrder());
        ScoringGoldens.Near(ScoringGoldens.Numbers(expected.GetProperty("block_scores")), scores.Layers, 0, Tolerance, criterion);
    }

    [SmolLm2Fact("baselines/smollm2")]
    public void Score_BlockInfluence_ScoresAndOrderAgree()
    {
        ImportanceScores scores = ScoringGoldens.Score(new BlockInfluenceScorer(), Model.Value, [Calibration()]);
        ScoringGoldens.Near(ScoringGoldens.Numbers(Expected.Value.GetProperty("block_influence")), scores.Layers, AngleTolerance, 0, "block influence");
        Assert.Equal(ScoringGoldens.Ints(Expected.Value.GetProperty("block_influence_order")), scores.LayerOrder());
    }

    [SmolLm2Fact("baselines/smollm2")]
    public void Score_AngularDistance_EveryWindowAgrees()
    {
        ImportanceScores scores = ScoringGoldens.Score(new AngularDistanceScorer(new AngularDistanceOptions { States = AngularStates.PruneMe }), Model.Value, [Calibration()]);
        foreach (JsonProperty window in Expected.Value.GetProperty("angular_by_window").EnumerateObject())
            ScoringGoldens.Near(ScoringGoldens.Numbers(window.Value), [.. scores.BlockWindows[int.Parse(window.Name) - 1].Skip(1)], AngleTolerance, 0, $"windows of {window.Name}");
    }

    private static TokenBatch Calibration() => ScoringGoldens.Batch(ScoringGoldens.Rows("baselines/smollm2/tensors.safetensors", "calib_ids"));
}
