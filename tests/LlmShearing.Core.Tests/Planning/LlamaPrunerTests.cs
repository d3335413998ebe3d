using LlmShearing.Planning;

namespace LlmShearing.Core.Tests.Planning;

public class LlamaPrunerTests
{
    private static readonly TokenBatch[] Calibration = [new(2, 3, [1, 2, 3, 4, 5, 6]), new(1, 3, [7, 8, 0], [true, true, false])];

    [Fact]
    public void CreatePlan_Depth_RecordsWhereThePlanComesFrom()
    {
        var scorer = new FakeScorer(PruningAxes.Layers, (r, _) => TestShapes.LayerScores(r.Model.Config.Shape, Enumerable.Range(0, 12).Select(i => -(double)i), "mine"));

        PruningPlan plan = new LlamaPruner().CreatePlan(new FakeSource(TestShapes.Mha12), scorer, new BlockDepthOptions { Count = 2 }, Calibration);

        Assert.Equal([11, 10], TestShapes.RemovalOrder(plan));
        Assert.Equal(("mine", "block-depth", "fake"), (plan.Provenance!.Scorer, plan.Provenance.Strategy, plan.Provenance.Model));
        Assert.Matches("^[0-9a-f]{64}$", plan.Provenance.CalibrationHash);
        Assert.Matches(@"^\d+\.\d+\.\d+", plan.Provenance.Library);
    }

    [Fact]
    public void CreatePlan_SameRowsInOtherBatches_SameHash()
    {
        Assert.Equal(Hash(Calibration), Hash([TokenBatch.FromRows([[1, 2, 3], [4, 5, 6], [7, 8]])]));
        Assert.NotEqual(Hash(Calibration), Hash([TokenBatch.FromRows([[1, 2, 3], [4, 5, 6], [7, 9]])]));
        Assert.NotEqual(Hash(Calibration), Hash([TokenBatch.FromRows([[1, 2, 3], [4, 5, 6, 7, 8]])]));
        Assert.Null(Hash([]));

        static string? Hash(TokenBatch[] batches) => new LlamaPruner().CreatePlan(
            new FakeSource(TestShapes.Mha12),
            new FakeScorer(PruningAxes.Layers, (r, _) => TestShapes.LayerScores(r.Model.Config.Shape, new double[12])),
            new BlockDepthOptions { Count = 1 },
            batches).Provenance!.CalibrationHash;
    }

    [Fact]
    public void CreatePlan_Iterative_ScoresAgainAfterEachRemoval()
    {
        var scorer = new FakeScorer(PruningAxes.Layers, (_, removed) => TestShapes.LayerScores(TestShapes.Mha12, Enumerable.Range(0, 12).Select(i => removed.Count == 0 ? i : -(double)i)));

        PruningPlan plan = new LlamaPruner().CreatePlan(new FakeSource(TestShapes.Mha12), scorer, new BlockDepthOptions { Count = 3 }, Calibration, iterative: true);

        Assert.Equal([0, 11, 10], TestShapes.RemovalOrder(plan));
        Assert.Equal(3, scorer.Requested.Count);
        Assert.NotNull(plan.Provenance!.CalibrationHash);
    }

    [Fact]
    public void CreatePlan_ImpossibleDepth_IsRefusedBeforeScoring()
    {
        var scorer = new FakeScorer(PruningAxes.Layers, (_, _) => throw new InvalidOperationException("scored"));

        Assert.Throws<PlanException>(() => new LlamaPruner().CreatePlan(new FakeSource(TestShapes.Mha12), scorer, new BlockDepthOptions { Count = 12 }));
    }

    [Theory]
    [InlineData(PruningAxes.QueryHeads, PruningAxes.QueryHeads)]
    [InlineData(PruningAxes.KeyValueGroups, PruningAxes.KeyValueGroups)]
    [InlineData(PruningAxes.Width, PruningAxes.KeyValueGroups)]
    public void CreatePlan_GroupsGo_AsksForWhatTheScorerHas(PruningAxes supported, PruningAxes requested)
    {
        LlamaShape source = TestShapes.Gqa10;
        var scorer = new FakeScorer(supported, (_, _) => new ImportanceScores(source, "test")
            .With(PruningAxes.QueryHeads, source.Layers.Select(_ => new double[6]))
            .With(PruningAxes.KeyValueGroups, source.Layers.Select(_ => new double[2])));
        LlamaShape target = TargetShape.Of(source, new TargetSizes { KeyValueHeads = 1 });

        PruningPlan plan = new LlamaPruner().CreatePlan(new FakeSource(source), scorer, new TargetedWidthStrategy(), target);

        Assert.Equal(target, plan.Target);
        Assert.Equal([requested], scorer.Requested);
    }

    [Fact]
    public void CreatePlan_UnsupportedAxis_IsNamed()
    {
        var scorer = new FakeScorer(PruningAxes.Layers, (_, _) => throw new InvalidOperationException("scored"));
        LlamaShape target = TestShapes.Mha12 with { HiddenSize = 16 };

        Assert.Equal(
            "FakeScorer does not score Hidden, which this target needs; it scores Layers. Use another criterion, or keep that size.",
            Assert.Throws<ScoringException>(() => new LlamaPruner().CreatePlan(new FakeSource(TestShapes.Mha12), scorer, new TargetedWidthStrategy(), target)).Message);
    }

    [Fact]
    public void CreatePlan_NothingToRemove_DoesNotScore()
    {
        var scorer = new FakeScorer(PruningAxes.None, (_, _) => throw new InvalidOperationException("scored"));

        Assert.True(new LlamaPruner().CreatePlan(new FakeSource(TestShapes.Mha12), scorer, new TargetedWidthStrategy(), TestShapes.Mha12).IsIdentity);
    }
}
