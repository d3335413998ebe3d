// Block Influence of the ShortGPT code and angular distances of ShortGPT and PruneMe: goldens shortgpt/ and angular/.
using System.Text.Json;
using LlmShearing.Scoring;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class StateGoldenTests
{
    private const double SumTolerance = 5e-5;
    private const double AngleTolerance = 2e-6;
    private static readonly JsonElement ShortGpt = ScoringGoldens.Json("baselines/shortgpt/cases.json");
    private static readonly JsonElement Angular = ScoringGoldens.Json("baselines/angular/cases.json");

    public static TheoryData<string> ShortGptIds() => [.. Ids(ShortGpt)];

    public static TheoryData<string> AngularIds() => [.. Ids(Angular)];

    [Theory]
    [MemberData(nameof(ShortGptIds))]
    public void Score_ShortGptCase_Agrees(string id)
    {
        JsonElement expected = Case(ShortGpt, id);
        TokenBatch[] batches = [.. expected.GetProperty("batches").EnumerateArray()
            .Select(b => ScoringGoldens.Batch(ScoringGoldens.Rows("baselines/shortgpt/tensors.safetensors", b.GetString()!)))];
        LlamaModel model = ScoringGoldens.Model(expected.GetProperty("model").GetString()!);
        if (id.EndsWith("last_layer_conventions", StringComparison.Ordinal))
            Testing.Near.Equal(expected.GetProperty("bi_last_layer_raw_state").GetDouble(), ScoringGoldens.Score(new BlockInfluenceScorer(), model, batches).Layers[^1], AngleTolerance, 0, id);
        else if (expected.GetProperty("angular").GetBoolean())
            CheckAngular(expected, model, batches);
        else if (id.EndsWith("ragged", StringComparison.Ordinal))
            CheckRagged(expected, model, batches[0]);
        else
            CheckInfluence(expected, model, batches);
    }

    [Theory]
    [MemberData(nameof(AngularIds))]
    public void Score_PruneMeCase_EveryWindowAgrees(string id)
    {
        JsonElement expected = Case(Angular, id);
        TokenBatch[] batches = [.. expected.GetProperty("batches").EnumerateArray().Select(b => ScoringGoldens.Batch(
            ScoringGoldens.Rows("baselines/angular/tensors.safetensors", b.GetString() + ".input_ids"),
            ScoringGoldens.Rows("baselines/angular/tensors.safetensors", b.GetString() + ".attention_mask")))];
        ImportanceScores scores = ScoringGoldens.Score(
            new AngularDistanceScorer(new AngularDistanceOptions { States = AngularStates.PruneMe }), ScoringGoldens.Model(expected.GetProperty("model").GetString()!), batches);
        foreach (JsonElement window in expected.GetProperty("windows").EnumerateArray())
        {
            int n = window.GetProperty("n").GetInt32();
            var actual = scores.BlockWindows[n - 1];
            Assert.True(double.IsNaN(actual[0]));
            foreach (JsonElement row in window.GetProperty("csv_rows").EnumerateArray())
                Testing.Near.Equal(row[2].GetDouble(), actual[row[0].GetInt32()], AngleTolerance, 0, $"{id} n={n} start {row[0]}");
            int start = Enumerable.Range(1, actual.Length - 1).MinBy(s => actual[s]);
            Assert.Equal(ScoringGoldens.Ints(window.GetProperty("removed_blocks_0based")), Enumerable.Range(start, n));
        }

        Assert.Equal(double.PositiveInfinity, scores.Layers[0]);
    }

    private static void CheckInfluence(JsonElement expected, LlamaModel model, TokenBatch[] batches)
    {
        string id = expected.GetProperty("id").GetString()!;
        ImportanceScores sums = ScoringGoldens.Score(new BlockInfluenceScorer(new BlockInfluenceOptions { SumOverTokens = true }), model, batches);
        ScoringGoldens.Near(ScoringGoldens.Numbers(expected.GetProperty("importances_sum_over_tokens")), sums.Layers, SumTolerance, 0, id);
        ImportanceScores means = ScoringGoldens.Score(new BlockInfluenceScorer(), model, batches);
        ScoringGoldens.Near(ScoringGoldens.Numbers(expected.GetProperty("block_influence_mean")), means.Layers, AngleTolerance, 0, id);
        Assert.Equal(ScoringGoldens.Ints(expected.GetProperty("order")), means.LayerOrder());
        int[] removed = ScoringGoldens.Ints(expected.GetProperty("removed"));
        Assert.Equal(removed, means.LayerOrder().Take(removed.Length));
    }

    private static void CheckRagged(JsonElement expected, LlamaModel model, TokenBatch rows)
    {
        int[] lengths = ScoringGoldens.Ints(expected.GetProperty("lengths"));
        bool[] mask = [.. lengths.SelectMany(n => Enumerable.Range(0, rows.SequenceLength).Select(t => t < n))];
        TokenBatch[] padded = [new TokenBatch(rows.BatchSize, rows.SequenceLength, rows.Ids.ToArray(), mask)];
        ImportanceScores counted = ScoringGoldens.Score(new BlockInfluenceScorer(new BlockInfluenceOptions { SumOverTokens = true, CountPadding = true }), model, padded);
        ScoringGoldens.Near(ScoringGoldens.Numbers(expected.GetProperty("importances_sum_over_tokens")), counted.Layers, SumTolerance, 0, "with padding");
        Assert.Equal(ScoringGoldens.Ints(expected.GetProperty("removed")), counted.LayerOrder().Take(2));
        ImportanceScores real = ScoringGoldens.Score(new BlockInfluenceScorer(new BlockInfluenceOptions { SumOverTokens = true }), model, padded);
        ScoringGoldens.Near(ScoringGoldens.Numbers(expected.GetProperty("importances_without_pad_positions")), real.Layers, SumTolerance, 0, "without padding");
    }

    private static void CheckAngular(JsonElement expected, LlamaModel model, TokenBatch[] batches)
    {
        // The ShortGPT code sums over sequences; our batch means are weighted back by the number of rows, one batch at a time.
        int n = expected.GetProperty("n_prune_layers").GetInt32();
        double[] sums = ScoringGoldens.Numbers(expected.GetProperty("importances_sum_over_sequences"));
        double[] actual = new double[sums.Length];
        foreach (TokenBatch batch in batches)
        {
            var windows = ScoringGoldens.Score(new AngularDistanceScorer(), model, [batch]).BlockWindows[n - 1];
            for (int s = 0; s < actual.Length; s++)
                actual[s] += windows[s] * batch.BatchSize;
        }

        ScoringGoldens.Near(sums, actual, AngleTolerance, 0, expected.GetProperty("id").GetString()!);
        if (expected.GetProperty("removed").ValueKind == JsonValueKind.Array)
            Assert.Equal(ScoringGoldens.Ints(expected.GetProperty("removed")), Enumerable.Range(Enumerable.Range(0, actual.Length).MinBy(s => actual[s]), n));
    }

    private static IEnumerable<string> Ids(JsonElement cases) => cases.EnumerateArray().Select(c => c.GetProperty("id").GetString()!);

    private static JsonElement Case(JsonElement cases, string id) => cases.EnumerateArray().Single(c => c.GetProperty("id").GetString() == id);
}
