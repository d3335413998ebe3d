// Plans against the published code of Shortened-LLaMA, ShortGPT and PruneMe, run on tiny models (baselines/README.md).
using System.Text.Json;
using LlmShearing.Planning;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Planning;

public class DepthGoldenTests
{
    [GoldenFact("baselines/depth/plans.json", "baselines/depth/scores.json")]
    public void BlockDepth_ShortenedLlamaPlans_SameBlocksLayersAndParameters()
    {
        Dictionary<string, JsonElement> scores = GoldenJson.Load("baselines/depth/scores.json").EnumerateArray().ToDictionary(c => c.Text("id"));
        int refused = 0, made = 0;
        foreach (JsonElement golden in GoldenJson.Load("baselines/depth/plans.json").EnumerateArray())
        {
            LlamaShape shape = TestShapes.Of(golden.Text("model"));
            BlockDepthOptions options = golden.GetProperty("plus").GetBoolean() ? BlockDepthOptions.ShortenedLlama() : new BlockDepthOptions();
            options.Count = golden.GetProperty("num_pruned_blocks").GetInt32();
            PruningPlan Plan() => new BlockDepthStrategy(options).CreatePlan(TestShapes.LayerScores(shape, BlockScores(scores[golden.Text("scores")])));

            // The original silently loses protected layers here.
            if (golden.GetProperty("over_requested").GetBoolean())
            {
                Assert.Contains($"only {shape.Layers.Length - 6} may", Assert.Throws<PlanException>(Plan).Message, StringComparison.Ordinal);
                refused++;
                continue;
            }

            PruningPlan plan = Plan();
            Assert.Equal(golden.Ints("removed"), TestShapes.RemovalOrder(plan));
            Assert.Equal(golden.Ints("new_layer_from_old"), plan.Layers.Select(l => l.SourceIndex));
            Assert.Equal(golden.GetProperty("num_hidden_layers").GetInt32(), plan.Target.Layers.Length);
            Assert.Equal(golden.GetProperty("params").GetInt64(), plan.Target.ParameterCount);
            made++;
        }

        Assert.Equal((2, 17), (refused, made));
    }

    [GoldenFact("baselines/depth/scores.json")]
    public void LayerOrder_ShortenedLlamaScores_SameOrderWithAndWithoutProtection()
    {
        foreach (JsonElement golden in GoldenJson.Load("baselines/depth/scores.json").EnumerateArray())
            CheckOrder(golden, TestShapes.Of(golden.Text("model")));
    }

    [GoldenFact("baselines/smollm2/scores.json")]
    public void LayerOrder_SmolLm2Scores_SameOrder()
    {
        JsonElement golden = GoldenJson.Load("baselines/smollm2/scores.json");
        foreach (JsonElement criterion in golden.GetProperty("depth").EnumerateArray())
            CheckOrder(criterion, TestShapes.SmolLm2);
        Assert.Equal(golden.Ints("block_influence_order"), TestShapes.LayerScores(TestShapes.SmolLm2, golden.Doubles("block_influence")).LayerOrder());
        Assert.Equal(134_515_008, TestShapes.SmolLm2.ParameterCount);
    }

    [GoldenFact("baselines/shortgpt/cases.json")]
    public void BlockDepth_ShortGptBlockInfluence_SameBlocks()
    {
        int cases = 0;
        foreach (JsonElement golden in GoldenJson.Load("baselines/shortgpt/cases.json").EnumerateArray())
        {
            if (!golden.TryGetProperty("importances_sum_over_tokens", out JsonElement influence))
                continue;
            ImportanceScores scores = TestShapes.LayerScores(TestShapes.Of(golden.Text("model")), influence.Doubles());
            PruningPlan plan = new BlockDepthStrategy(new BlockDepthOptions { Count = golden.GetProperty("n_prune_layers").GetInt32() }).CreatePlan(scores);
            Assert.Equal(golden.Ints("removed"), TestShapes.RemovalOrder(plan));
            Assert.Equal(golden.Ints("kept"), plan.Layers.Select(l => l.SourceIndex));
            cases++;
        }

        Assert.Equal(8, cases);
    }

    [GoldenFact("baselines/shortgpt/cases.json")]
    public void Contiguous_ShortGptAngular_SameWindow()
    {
        int cases = 0;
        foreach (JsonElement golden in GoldenJson.Load("baselines/shortgpt/cases.json").EnumerateArray())
        {
            if (!golden.TryGetProperty("importances_sum_over_sequences", out JsonElement distances) || golden.GetProperty("removed").ValueKind != JsonValueKind.Array)
                continue;
            CheckWindow(TestShapes.Of(golden.Text("model")), golden.GetProperty("n_prune_layers").GetInt32(), distances.Doubles(), firstStart: 0, golden.Ints("removed"));
            cases++;
        }

        Assert.Equal(18, cases);
    }

    [GoldenFact("baselines/angular/cases.json")]
    public void Contiguous_PruneMe_SameWindowForEverySize()
    {
        int cases = 0;
        foreach (JsonElement golden in GoldenJson.Load("baselines/angular/cases.json").EnumerateArray())
            foreach (JsonElement window in golden.GetProperty("windows").EnumerateArray())
            {
                // PruneMe does not look at the embedding, so a window never starts with block 0.
                double[] distances = [.. window.GetProperty("csv_rows").EnumerateArray().Select(row => row[2].GetDouble())];
                CheckWindow(TestShapes.Of(golden.Text("model")), window.GetProperty("n").GetInt32(), distances, firstStart: 1, window.Ints("removed_blocks_0based"));
                cases++;
            }

        Assert.True(cases >= 36, $"{cases} cases");
    }

    [GoldenFact("baselines/depth/greedy_ppl.json")]
    public void IterativeDepth_GreedyPerplexity_SameRemovals()
    {
        foreach (JsonElement golden in GoldenJson.Load("baselines/depth/greedy_ppl.json").EnumerateArray())
        {
            LlamaShape shape = TestShapes.Of(golden.Text("model"));
            JsonElement[] steps = [.. golden.GetProperty("steps").EnumerateArray()];
            var pruner = new IterativeDepthPruner(new BlockDepthOptions { Count = steps.Length });

            int step = 0;
            PruningPlan byDelegate = pruner.CreatePlan(shape, plan =>
            {
                Assert.Equal(steps[step].Ints("alive"), plan.Layers.Select(l => l.SourceIndex));
                return TestShapes.LayerScores(plan.Target, steps[step++].Doubles("ppl_if_removed"));
            });
            var scorer = new FakeScorer(PruningAxes.Layers, (_, removed) =>
            {
                JsonElement now = steps[removed.Count];
                double[] values = [.. Enumerable.Repeat(double.PositiveInfinity, shape.Layers.Length)];
                foreach ((int block, double value) in now.Ints("alive").Zip(now.Doubles("ppl_if_removed")))
                    values[block] = value;
                return TestShapes.LayerScores(shape, values);
            });
            PruningPlan byScorer = pruner.CreatePlan(scorer, new ScoringRequest(new FakeSource(shape), PruningAxes.Layers, []));

            Assert.Equal(golden.Ints("removed"), TestShapes.RemovalOrder(byDelegate));
            Assert.Equal(golden.Ints("kept"), byDelegate.Layers.Select(l => l.SourceIndex));
            Assert.Equal(byDelegate, byScorer);
        }
    }

    private static double[] BlockScores(JsonElement golden) => golden.Doubles("block_scores");

    private static void CheckOrder(JsonElement golden, LlamaShape shape)
    {
        double[] values = BlockScores(golden);
        // The order of a product that left the range of single precision is tested by its ties; not-a-number is refused before planning.
        if (values.Any(double.IsNaN))
            return;
        ImportanceScores scores = TestShapes.LayerScores(shape, values);
        Assert.Equal(golden.Ints("order"), scores.LayerOrder());
        BlockDepthOptions plus = BlockDepthOptions.ShortenedLlama();
        plus.Count = shape.Layers.Length - 6;
        Assert.Equal(golden.Ints("order_plus"), TestShapes.RemovalOrder(new BlockDepthStrategy(plus).CreatePlan(scores)));
    }

    private static void CheckWindow(LlamaShape shape, int n, double[] distances, int firstStart, int[] removed)
    {
        int blocks = shape.Layers.Length;
        double[][] windows = [.. Enumerable.Range(1, n).Select(size => Enumerable.Repeat(double.NaN, blocks - size + 1).ToArray())];
        distances.CopyTo(windows[n - 1], firstStart);
        ImportanceScores scores = new(shape, "angular") { BlockWindows = [.. windows.Select(w => System.Collections.Immutable.ImmutableArray.Create(w))] };
        PruningPlan plan = new BlockDepthStrategy(new BlockDepthOptions { Count = n, Contiguous = true }).CreatePlan(scores);
        Assert.Equal(removed, TestShapes.RemovalOrder(plan));
    }
}
