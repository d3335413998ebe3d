using System.Text.Json;
using LlmShearing.Planning;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Planning;

public class TargetedWidthStrategyTests
{
    private static readonly TargetedWidthStrategy Strategy = new();

    [Fact]
    public void CreatePlan_RandomReachableTargets_TargetIsExactAndNothingIsEmpty()
    {
        var random = new Random(6);
        for (int i = 0; i < 200; i++)
        {
            LlamaShape source = i % 2 == 0 ? TestShapes.Gqa10 : TestShapes.Uniform(5, 16, 8, 4, 4, 24, 50);
            LayerShape layer = source.Layers[0];
            int keyValue = random.Next(1, layer.KeyValueHeads + 1);
            var target = new TargetSizes
            {
                Layers = random.Next(1, source.Layers.Length + 1),
                Hidden = random.Next(1, source.HiddenSize + 1),
                Intermediate = random.Next(1, layer.IntermediateSize + 1),
                KeyValueHeads = keyValue,
                QueryHeads = keyValue * random.Next(1, (layer.QueryHeads / layer.KeyValueHeads) + 1),
            };
            LlamaShape shape = TargetShape.Of(source, target);

            PruningPlan plan = Strategy.CreatePlan(shape, TestShapes.RandomScores(source, random));

            Assert.Equal(shape, plan.Target);
            Assert.True(plan.Target.IsUniform);
            Assert.Equal(keyValue, plan.KeyValueHeads(0).Count);
        }
    }

    [Fact]
    public void CreatePlan_HeterogeneousTarget_IsReachedLayerByLayer()
    {
        LlamaShape target = TestShapes.Gqa10 with
        {
            HiddenSize = 40,
            Layers = TestShapes.Gqa10.Layers.SetItem(1, new LayerShape(0, 0, 7)).SetItem(2, new LayerShape(2, 2, 0)).SetItem(3, new LayerShape(3, 1, 80)),
        };

        Assert.Equal(target, Strategy.CreatePlan(target, TestShapes.RandomScores(TestShapes.Gqa10, new Random(7))).Target);
    }

    [Fact]
    public void CreatePlan_EqualScores_LowerUnitsStayAndLowerBlocksGo()
    {
        LlamaShape source = TestShapes.Gqa10;
        ImportanceScores scores = TestShapes.RandomScores(source, new Random(1));
        scores = new ImportanceScores(source, "flat")
            .With(PruningAxes.Hidden, new double[48])
            .With(PruningAxes.Layers, new double[10])
            .With(PruningAxes.QueryHeads, source.Layers.Select(_ => new double[6]))
            .With(PruningAxes.Intermediate, source.Layers.Select(_ => new double[80]));

        PruningPlan plan = Strategy.CreatePlan(TargetShape.Of(source, new TargetSizes { Layers = 7, Hidden = 5, QueryHeads = 2, KeyValueHeads = 2, Intermediate = 3 }), scores);

        Assert.Equal("0-4", plan.Hidden.ToString());
        Assert.Equal(new LayerPlan(3, IndexSet.Parse("0,3"), IndexSet.Parse("0-2")), plan.Layers[0]);
        Assert.Equal([0, 1, 2], TestShapes.RemovalOrder(plan));
        Assert.Equal(TestShapes.RemovalOrder(plan), TestShapes.RemovalOrder(new BlockDepthStrategy(new BlockDepthOptions { Count = 3 }).CreatePlan(scores)));
    }

    [Fact]
    public void CreatePlan_GroupScores_WinOverSumsOfQueryHeads()
    {
        LlamaShape source = TestShapes.Uniform(1, 16, 4, 2, 4, 6, 20);
        ImportanceScores heads = new ImportanceScores(source, "test").With(PruningAxes.QueryHeads, [[1.0, 2, 3, 4]]);
        ImportanceScores groups = heads.With(PruningAxes.KeyValueGroups, [[5.0, 1]]);
        LlamaShape oneGroup = TargetShape.Of(source, new TargetSizes { KeyValueHeads = 1 });
        LlamaShape oneOfEach = TargetShape.Of(source, new TargetSizes { QueryHeads = 2, Heads = HeadPruning.WithinGroups });
        LlamaShape oneHead = TargetShape.Of(source, new TargetSizes { QueryHeads = 1, KeyValueHeads = 1 });

        Assert.Equal("2-3", Heads(oneGroup, heads));
        Assert.Equal("0-1", Heads(oneGroup, groups));
        Assert.Equal("1,3", Heads(oneOfEach, heads));
        Assert.Equal("1,3", Heads(oneOfEach, groups));
        Assert.Equal("3", Heads(oneHead, heads));
        Assert.Equal("1", Heads(oneHead, groups));
        Assert.Equal("0-1", Heads(oneGroup, new ImportanceScores(source, "test").With(PruningAxes.KeyValueGroups, [[5.0, 1]])));

        static string Heads(LlamaShape target, ImportanceScores scores) => Strategy.CreatePlan(target, scores).Layers[0].QueryHeads.ToString();
    }

    [Fact]
    public void CreatePlan_UnequalGroups_OnlyLargeEnoughGroupsAreCandidates()
    {
        LlamaShape source = TestShapes.Uniform(1, 16, 6, 3, 4, 6, 20) with { Layers = [new LayerShape(6, 3, 6) { GroupSizes = [1, 3, 2] }] };
        ImportanceScores scores = new ImportanceScores(source, "test").With(PruningAxes.QueryHeads, [[100.0, 1, 5, 3, 2, 2]]);
        LlamaShape Target(int query, int keyValue) => source with { Layers = [new LayerShape(query, keyValue, 6)] };

        Assert.Equal("2-5", Strategy.CreatePlan(Target(4, 2), scores).Layers[0].QueryHeads.ToString());
        Assert.Equal("0,2,4", Strategy.CreatePlan(Target(3, 3), scores).Layers[0].QueryHeads.ToString());
        Assert.Contains("3 key/value heads with 2 query heads each, but only 2 of the source's 3", Assert.Throws<PlanException>(() => Strategy.CreatePlan(Target(6, 3), scores)).Message, StringComparison.Ordinal);
        Assert.True(Strategy.CreatePlan(source, scores).IsIdentity);
    }

    [Fact]
    public void CreatePlan_SameShape_NeedsNoScoresAndKeepsEverything()
    {
        var none = new ImportanceScores(TestShapes.Gqa10, "none");

        Assert.Equal(PruningAxes.None, Strategy.RequiredAxesFor(TestShapes.Gqa10, TestShapes.Gqa10));
        Assert.True(Strategy.CreatePlan(TestShapes.Gqa10, none).IsIdentity);
    }

    [Theory]
    [InlineData("hidden", PruningAxes.Hidden)]
    [InlineData("intermediate", PruningAxes.Intermediate)]
    [InlineData("layers", PruningAxes.Layers)]
    [InlineData("groups", PruningAxes.KeyValueGroups)]
    [InlineData("within", PruningAxes.QueryHeads)]
    [InlineData("both", PruningAxes.QueryHeads | PruningAxes.KeyValueGroups)]
    public void RequiredAxesFor_OneDimension_IsItsAxisAndSufficient(string what, PruningAxes axes)
    {
        LlamaShape source = TestShapes.Gqa10;
        LlamaShape target = TargetShape.Of(source, what switch
        {
            "hidden" => new TargetSizes { Hidden = 40 },
            "intermediate" => new TargetSizes { Intermediate = 40 },
            "layers" => new TargetSizes { Layers = 4 },
            "groups" => new TargetSizes { KeyValueHeads = 1 },
            "within" => new TargetSizes { QueryHeads = 4, Heads = HeadPruning.WithinGroups },
            _ => new TargetSizes { QueryHeads = 2, KeyValueHeads = 1 },
        });
        ImportanceScores scores = new(source, "test");
        foreach (PruningAxes axis in Enum.GetValues<PruningAxes>().Where(a => a is not (PruningAxes.None or PruningAxes.Width) && axes.HasFlag(a)))
            scores = axis switch
            {
                PruningAxes.Hidden or PruningAxes.Layers => scores.With(axis, new double[axis == PruningAxes.Hidden ? 48 : 10]),
                PruningAxes.QueryHeads => scores.With(axis, source.Layers.Select(l => new double[l.QueryHeads])),
                PruningAxes.KeyValueGroups => scores.With(axis, source.Layers.Select(l => new double[l.KeyValueHeads])),
                _ => scores.With(axis, source.Layers.Select(l => new double[l.IntermediateSize])),
            };

        Assert.Equal(axes, Strategy.RequiredAxesFor(source, target));
        Assert.Equal(target, Strategy.CreatePlan(target, scores).Target);
        Assert.Throws<ScoringException>(() => Strategy.CreatePlan(target, new ImportanceScores(source, "none")));
    }

    [Fact]
    public void CreatePlan_UnreachableTarget_NamesAxisAndBothNumbers()
    {
        LlamaShape source = TestShapes.Gqa10;
        ImportanceScores scores = TestShapes.RandomScores(source, new Random(8));

        Refused(source with { HiddenSize = 49 }, "hidden: the target wants 49 channels, the source has 48");
        Refused(TestShapes.Uniform(11, 48, 6, 2, 8, 80, 260) with { TiedEmbeddings = true }, "layers: the target wants 11 blocks, the source has 10");
        Refused(source with { Layers = source.Layers.SetItem(4, new LayerShape(6, 2, 81)) }, "intermediate: target layer 4 (block 4 of the source) wants 81 channels, the source has 80");
        Refused(source with { Layers = source.Layers.SetItem(4, new LayerShape(6, 3, 80)) }, "heads: target layer 4 (block 4 of the source) wants 6 query and 3 key/value heads, the source has 6 and 2");
        Refused(source with { Layers = source.Layers.SetItem(4, new LayerShape(5, 2, 80) { GroupSizes = [3, 2] }) }, "wants unequal groups");
        Refused(source with { Layers = source.Layers.SetItem(4, new LayerShape(4, 1, 80)) }, "wants 1 key/value heads with 4 query heads each, but only 0 of the source's 2");
        Refused(source with { Layers = source.Layers.SetItem(4, new LayerShape(5, 2, 80)) }, "do not divide evenly");
        Refused(source with { HeadDim = 4 }, "head dimension: expected 8, found 4");
        Refused(source with { VocabSize = 100 }, "vocabulary size: expected 260, found 100");

        void Refused(LlamaShape target, string text) =>
            Assert.Contains(text, Assert.Throws<PlanException>(() => Strategy.CreatePlan(target, scores)).Message, StringComparison.Ordinal);
    }

    // T19: with fixed scores, several steps keep what one step keeps.
    [Fact]
    public void CreatePlan_InSteps_KeepsWhatOneStepKeeps()
    {
        var random = new Random(9);
        LlamaShape source = TestShapes.Uniform(4, 16, 4, 4, 4, 24, 50);
        ImportanceScores scores = TestShapes.RandomScores(source, random);
        PruningPlan oneShot = Strategy.CreatePlan(TargetShape.Of(source, new TargetSizes { Hidden = 8, Intermediate = 6, QueryHeads = 2 }), scores);

        PruningPlan half = Strategy.CreatePlan(TargetShape.Of(source, new TargetSizes { Hidden = 12, Intermediate = 15, QueryHeads = 3 }), scores);
        ImportanceScores rest = new ImportanceScores(half.Target, "random")
            .With(PruningAxes.Hidden, half.Hidden.Indices.Select(i => scores[PruningAxes.Hidden][0][i]))
            .With(PruningAxes.QueryHeads, half.Layers.Select(l => l.QueryHeads.Indices.Select(i => scores[PruningAxes.QueryHeads][l.SourceIndex][i])))
            .With(PruningAxes.Intermediate, half.Layers.Select(l => l.Intermediate.Indices.Select(i => scores[PruningAxes.Intermediate][l.SourceIndex][i])));

        Assert.Equal(oneShot, half.Then(Strategy.CreatePlan(oneShot.Target, rest)));
    }

    [GoldenFact("baselines/minitron/cases.json")]
    public void CreatePlan_MinitronRankings_KeepTheSameUnits()
    {
        foreach (JsonElement golden in GoldenJson.Load("baselines/minitron/cases.json").GetProperty("models").EnumerateArray())
        {
            LlamaShape source = golden.Text("id") == "mha6"
                ? TestShapes.Uniform(6, 48, 6, 6, 8, 96, 260)
                : TestShapes.Uniform(5, 64, 8, 4, 8, 72, 260) with { TiedEmbeddings = true };
            JsonElement keep = golden.GetProperty("keep");
            ImportanceScores scores = new ImportanceScores(source, "minitron")
                .With(PruningAxes.Hidden, FromOrder(golden.Ints("hidden_order_descending")))
                .With(PruningAxes.Intermediate, golden.GetProperty("ffn_order_descending").EnumerateArray().Select(o => FromOrder(o.Ints())))
                .With(PruningAxes.QueryHeads, golden.GetProperty("head_ranking_group_aware").EnumerateArray().Select(o => FromOrder(o.Ints())));
            var sizes = new TargetSizes { Hidden = keep.GetProperty("hidden").GetInt32(), Intermediate = keep.GetProperty("ffn").GetInt32() };
            bool heads = keep.GetProperty("heads_kept").ValueKind == JsonValueKind.Array;
            if (heads)
                sizes = sizes with { QueryHeads = source.Layers[0].KeyValueHeads * keep.GetProperty("heads_per_group_kept").GetInt32(), Heads = HeadPruning.WithinGroups };

            PruningPlan plan = Strategy.CreatePlan(TargetShape.Of(source, sizes), scores);

            Assert.Equal(keep.Ints("hidden_kept"), plan.Hidden.Indices.ToArray());
            Assert.Equal(keep.GetProperty("ffn_kept").EnumerateArray().Select(k => k.Ints()), plan.Layers.Select(l => l.Intermediate.Indices.ToArray()));
            if (heads)
                Assert.Equal(keep.GetProperty("heads_kept").EnumerateArray().Select(k => k.Ints()), plan.Layers.Select(l => l.QueryHeads.Indices.ToArray()));
        }

        static IEnumerable<double> FromOrder(int[] descending)
        {
            double[] scores = new double[descending.Length];
            for (int i = 0; i < descending.Length; i++)
                scores[descending[i]] = -i;
            return scores;
        }
    }

    [GoldenFact("baselines/surgery/cases.json")]
    public void Target_SurgeryPlans_SameParameterCount()
    {
        foreach (JsonElement golden in GoldenJson.Load("baselines/surgery/cases.json").EnumerateArray())
        {
            LlamaShape source = golden.Text("model") == "mha6"
                ? TestShapes.Uniform(6, 48, 6, 6, 8, 96, 260)
                : TestShapes.Uniform(5, 64, 8, 4, 8, 72, 260) with { TiedEmbeddings = true };
            JsonElement kept = golden.GetProperty("plan");
            JsonElement[] layers = [.. kept.GetProperty("layers").EnumerateArray()];
            PruningPlan plan = new()
            {
                Source = source,
                Hidden = IndexSet.Of(kept.Ints("hidden_kept")),
                Layers = [.. kept.Ints("blocks_kept").Select(b => new LayerPlan(b, IndexSet.Of(layers[b].Ints("q_heads_kept")), IndexSet.Of(layers[b].Ints("ffn_kept"))))],
            };
            LlamaShape target = plan.Target;

            // The reference keeps the norm in front of an absent sub-block; ours goes with it.
            int absent = target.Layers.Count(l => !l.HasAttention) + target.Layers.Count(l => !l.HasMlp);
            Assert.Equal(golden.GetProperty("params").GetInt64(), target.ParameterCount + ((long)absent * target.HiddenSize));
            for (int i = 0; i < plan.Layers.Length; i++)
                Assert.Equal(layers[plan.Layers[i].SourceIndex].Ints("kv_heads_kept"), plan.KeyValueHeads(i).Indices.ToArray());
        }
    }
}
