using LlmShearing.Planning;

namespace LlmShearing.Core.Tests.Planning;

public class IterativeDepthPrunerTests
{
    // Scores that do not change: iterating and one shot agree.
    [Fact]
    public void CreatePlan_FixedScores_EqualsOneShot()
    {
        var random = new Random(14);
        for (int i = 0; i < 50; i++)
        {
            double[] values = [.. Enumerable.Range(0, 12).Select(_ => (double)random.Next(5))];
            BlockDepthOptions options = new() { ProtectFirst = random.Next(4), ProtectLast = random.Next(4), Count = random.Next(6) };

            PruningPlan iterated = new IterativeDepthPruner(options).CreatePlan(
                TestShapes.Mha12, plan => TestShapes.LayerScores(plan.Target, plan.Layers.Select(l => values[l.SourceIndex])));
            PruningPlan oneShot = new BlockDepthStrategy(options).CreatePlan(TestShapes.LayerScores(TestShapes.Mha12, values));

            Assert.Equal(TestShapes.RemovalOrder(oneShot), TestShapes.RemovalOrder(iterated));
            Assert.Equal(oneShot.Layers.AsEnumerable(), iterated.Layers.AsEnumerable());
        }
    }

    [Fact]
    public void CreatePlan_ParameterTarget_StopsAsSoonAsItIsMet()
    {
        var pruner = new IterativeDepthPruner(new BlockDepthOptions { TargetParameters = 130144 });
        int scorings = 0;

        PruningPlan plan = pruner.CreatePlan(TestShapes.Mha12, p =>
        {
            scorings++;
            return TestShapes.LayerScores(p.Target, new double[p.Layers.Length]);
        });

        Assert.Equal([0, 1, 2], TestShapes.RemovalOrder(plan));
        Assert.Equal(3, scorings);
        Assert.Equal("block-depth-iterative", plan.Provenance!.Strategy);
    }

    [Fact]
    public void CreatePlan_AllInfinite_RemovesTheFirstThatIsLeft()
    {
        var scorer = new FakeScorer(PruningAxes.Layers, (_, _) => TestShapes.LayerScores(TestShapes.Mha12, Enumerable.Repeat(double.PositiveInfinity, 12)));

        PruningPlan plan = new IterativeDepthPruner(new BlockDepthOptions { Count = 3 }).CreatePlan(scorer, new ScoringRequest(new FakeSource(TestShapes.Mha12), PruningAxes.Layers, []));

        Assert.Equal([0, 1, 2], TestShapes.RemovalOrder(plan));
    }

    [Fact]
    public void CreatePlan_CalibrationReadOnce_IsUsedForEveryRemoval()
    {
        int reads = 0;
        IEnumerable<TokenBatch> Once()
        {
            reads++;
            yield return new TokenBatch(1, 3, [1, 2, 3]);
        }

        var scorer = new FakeScorer(PruningAxes.Layers, (_, _) => TestShapes.LayerScores(TestShapes.Mha12, new double[12]));
        new IterativeDepthPruner(new BlockDepthOptions { Count = 4 }).CreatePlan(scorer, new ScoringRequest(new FakeSource(TestShapes.Mha12), PruningAxes.Layers, Once()));

        Assert.Equal((1, 12), (reads, scorer.TokensRead));
    }

    [Fact]
    public void CreatePlan_ScoresOfAnotherShape_AreRefused()
    {
        var pruner = new IterativeDepthPruner(new BlockDepthOptions { Count = 2 });

        string message = Assert.Throws<ScoringException>(() => pruner.CreatePlan(TestShapes.Mha12, _ => TestShapes.LayerScores(TestShapes.Mha12, new double[12]))).Message;

        Assert.Equal("The scores of 'test' after 1 removals are for another shape: number of blocks: expected 11, found 12.", message);
    }

    [Fact]
    public void CreatePlan_Cancelled_Throws()
    {
        using var source = new CancellationTokenSource();
        var pruner = new IterativeDepthPruner(new BlockDepthOptions { Count = 5 });
        int scorings = 0;

        Assert.Throws<OperationCanceledException>(() => pruner.CreatePlan(
            TestShapes.Mha12,
            p =>
            {
                if (++scorings == 2)
                    source.Cancel();
                return TestShapes.LayerScores(p.Target, new double[p.Layers.Length]);
            },
            cancellationToken: source.Token));
        Assert.Equal(2, scorings);
    }

    [Fact]
    public void Constructor_WindowsOrList_IsRefused()
    {
        Assert.Contains("Contiguous leaves nothing", Assert.Throws<PlanException>(() => new IterativeDepthPruner(new BlockDepthOptions { Contiguous = true })).Message, StringComparison.Ordinal);
        Assert.Contains("Blocks leaves nothing", Assert.Throws<PlanException>(() => new IterativeDepthPruner(new BlockDepthOptions { Blocks = [1] })).Message, StringComparison.Ordinal);
        Assert.Contains("only 6 may", Assert.Throws<PlanException>(() => new IterativeDepthPruner(new BlockDepthOptions { Count = 7, ProtectFirst = 4, ProtectLast = 2 }).CreatePlan(TestShapes.Mha12, _ => throw new InvalidOperationException("scored"))).Message, StringComparison.Ordinal);
    }
}
