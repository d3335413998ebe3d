using System.Collections.Immutable;
using LlmShearing.Planning;

namespace LlmShearing.Core.Tests.Planning;

public class BlockDepthStrategyTests
{
    private static readonly double[] Ascending = [.. Enumerable.Range(0, 12).Select(i => (double)i)];

    private static ImportanceScores Scores => TestShapes.LayerScores(TestShapes.Mha12, Ascending);

    // Removal sets published with Shortened LLaMA (block_order.csv of the repository): the protected blocks are given the lowest scores,
    // as Magnitude and Taylor do give them, and the published order comes next.
    [Theory]
    [InlineData("LLaMA-7B", "24,26,25,10,27,13", 5_524_115_456)]
    [InlineData("LLaMA-7B", "27,24,26,25,29,28", 5_524_115_456)]
    [InlineData("LLaMA-7B", "9,8,10,5,7,12", 5_524_115_456)]
    [InlineData("LLaMA-7B", "25,27,10,24,11,20", 5_524_115_456)]
    [InlineData("LLaMA-7B", "11,8,24,21,12,7", 5_524_115_456)]
    [InlineData("LLaMA-7B", "28,27,25,29,26,24", 5_524_115_456)]
    [InlineData("LLaMA-13B", "35,32,24,12,34,20,26,36", 10_478_228_480)]
    [InlineData("LLaMA-13B", "36,33,32,34,37,35,31,30", 10_478_228_480)]
    [InlineData("LLaMA-13B", "5,8,6,4,7,10,9,11", 10_478_228_480)]
    [InlineData("Llama-3-8B", "8,23,9,11,10,25", 8_030_261_248 - (6 * 218_112_000L))]
    [InlineData("Llama-3-8B", "24,25,26,28,29,23", 8_030_261_248 - (6 * 218_112_000L))]
    [InlineData("Mistral-7B", "15,14,11,12,25,9", 7_241_732_096 - (6 * 218_112_000L))]
    [InlineData("Mistral-7B", "28,29,27,26,25,24", 7_241_732_096 - (6 * 218_112_000L))]
    [InlineData("Mistral-7B", "4,5,6,12,7,9", 7_241_732_096 - (6 * 218_112_000L))]
    [InlineData("Gemma-2b", "7,8,6,9", 2_506_172_416 - (4 * 110_104_576L))]
    [InlineData("Gemma-2b", "10,9,8,11", 2_506_172_416 - (4 * 110_104_576L))]
    [InlineData("Gemma-7b", "14,15,13,18,7", 8_537_680_896 - (5 * 276_830_208L))]
    [InlineData("Gemma-7b", "14,15,22,16,13", 8_537_680_896 - (5 * 276_830_208L))]
    public void CreatePlan_PublishedOrder_RemovesThePublishedBlocks(string model, string removed, long parameters)
    {
        LlamaShape shape = TestShapes.Of(model);
        int n = shape.Layers.Length;
        int[] order = [.. removed.Split(',').Select(int.Parse)];
        double[] scores = [.. Enumerable.Repeat(1000.0, n)];
        foreach (int block in new[] { 0, 1, 2, 3, n - 2, n - 1 })
            scores[block] = -1;
        for (int i = 0; i < order.Length; i++)
            scores[order[i]] = i;
        BlockDepthOptions options = BlockDepthOptions.ShortenedLlama();
        options.Count = order.Length;

        PruningPlan plan = new BlockDepthStrategy(options).CreatePlan(TestShapes.LayerScores(shape, scores));

        Assert.Equal(order, TestShapes.RemovalOrder(plan));
        Assert.Equal(parameters, plan.Target.ParameterCount);
    }

    // Parameters left by k removals, from the repository's result tables.
    [Theory]
    [InlineData("LLaMA-7B", 9, 4_916_965_376)]
    [InlineData("LLaMA-7B", 11, 4_512_198_656)]
    [InlineData("LLaMA-7B", 15, 3_702_665_216)]
    [InlineData("LLaMA-7B", 20, 2_690_748_416)]
    [InlineData("LLaMA-7B", 26, 1_476_448_256)]
    [InlineData("LLaMA-13B", 11, 9_526_615_040)]
    [InlineData("LLaMA-13B", 15, 8_257_797_120)]
    public void CreatePlan_CountOrItsParameters_GiveTheSamePlan(string model, int count, long parameters)
    {
        LlamaShape shape = TestShapes.Of(model);
        var random = new Random(count);
        ImportanceScores scores = TestShapes.LayerScores(shape, shape.Layers.Select(_ => random.NextDouble()));
        PruningPlan byCount = Plan(scores, o => o.Count = count);

        Assert.Equal(parameters, byCount.Target.ParameterCount);
        Assert.Equal(byCount, Plan(scores, o => o.TargetParameters = parameters));
        Assert.Equal(count + 1, Plan(scores, o => o.TargetParameters = parameters - 1).RemovedBlocks.Count);
        Assert.Equal(byCount, new BlockDepthStrategy().CreatePlan(byCount.Target, scores));
    }

    [Theory]
    [InlineData(0.2, 6)]
    [InlineData(0.35, 11)]
    [InlineData(0.8, 26)]
    [InlineData(0.015625, 0)]
    [InlineData(0.046875, 2)]
    public void CreatePlan_Ratio_RoundsToNearestHalvesToEven(double ratio, int expected)
    {
        ImportanceScores scores = TestShapes.LayerScores(TestShapes.Llama7B, new double[32]);

        if (expected == 0)
            Assert.Contains("is less than one block", Assert.Throws<PlanException>(() => Plan(scores, o => o.Ratio = ratio)).Message, StringComparison.Ordinal);
        else
            Assert.Equal(expected, Plan(scores, o => o.Ratio = ratio).RemovedBlocks.Count);
    }

    [Fact]
    public void CreatePlan_TiesAndInfinities_LowerIndexFirstInfinityLast()
    {
        double inf = double.PositiveInfinity;
        ImportanceScores scores = TestShapes.LayerScores(TestShapes.Mha12, [inf, 2, 1, 1, inf, 2, 0, -inf, 2, 1, 0, inf]);

        Assert.Equal([7, 6, 10, 2, 3, 9, 1, 5, 8, 0, 4], TestShapes.RemovalOrder(Plan(scores, o => o.Count = 11)));
    }

    [Fact]
    public void Protection_EveryRequest_NeverTouchesProtectedBlocks()
    {
        var random = new Random(4);
        for (int i = 0; i < 300; i++)
        {
            int n = random.Next(1, 14), first = random.Next(6), last = random.Next(6), count = random.Next(n + 2);
            LlamaShape shape = TestShapes.Uniform(n, 8, 2, 1, 4, 5, 20);
            ImportanceScores scores = TestShapes.LayerScores(shape, Enumerable.Range(0, n).Select(_ => (double)random.Next(3)));
            var strategy = new BlockDepthStrategy(new BlockDepthOptions { Count = count, ProtectFirst = first, ProtectLast = last });
            int mayGo = Math.Max(0, Math.Min(n - 1, n - first - last));
            if (count > mayGo)
            {
                Assert.Contains($"only {mayGo} may", Assert.Throws<PlanException>(() => strategy.CreatePlan(scores)).Message, StringComparison.Ordinal);
                continue;
            }

            PruningPlan plan = strategy.CreatePlan(scores);
            Assert.Equal(count, plan.RemovedBlocks.Count);
            Assert.DoesNotContain(plan.RemovedBlocks.Indices, b => b < first || b >= n - last);
            Assert.Equal(n - count, plan.Target.Layers.Length);
        }
    }

    [Fact]
    public void CreatePlan_TooManyAsked_SaysHowManyMayGo()
    {
        BlockDepthOptions options = BlockDepthOptions.ShortenedLlama();
        options.Count = 7;

        Assert.Equal(
            "7 of 12 blocks should go, but only 6 may (the first 4 and the last 2 are protected). Remove fewer, or protect fewer.",
            Assert.Throws<PlanException>(() => new BlockDepthStrategy(options).CreatePlan(Scores)).Message);
        Assert.Equal(
            "12 of 12 blocks should go, but only 11 may (one has to stay). Remove fewer, or protect fewer.",
            Assert.Throws<PlanException>(() => Plan(Scores, o => o.Count = 12)).Message);
    }

    [Fact]
    public void CreatePlan_UnreachableParameters_NamesTheSmallestModel()
    {
        BlockDepthOptions options = BlockDepthOptions.ShortenedLlama();
        options.TargetParameters = 92_319;
        string message = Assert.Throws<PlanException>(() => new BlockDepthStrategy(options).CreatePlan(Scores)).Message;

        Assert.Contains("leaves 92320", message, StringComparison.Ordinal);
        options.TargetParameters = 92_320;
        Assert.Equal(6, new BlockDepthStrategy(options).CreatePlan(Scores).RemovedBlocks.Count);
    }

    [Fact]
    public void CreatePlan_List_RemovesItInItsOrderUnlessProtected()
    {
        Assert.Equal([9, 3], TestShapes.RemovalOrder(Plan(Scores, o => o.Blocks = [9, 3])));
        Refused(o => o.Blocks = [12], "Block 12 cannot be removed: the model has blocks 0 to 11.");
        Refused(o => o.Blocks = [3, 3], "occurs twice");
        Refused(
            o =>
            {
                o.Blocks = [5, 1];
                o.ProtectFirst = 2;
            },
            "Block 1 should go, but it is protected (the first 2 and the last 0 are protected)");
    }

    [Fact]
    public void CreatePlan_NotOneAmount_IsRefused()
    {
        Refused(_ => { }, "No amount is given: give exactly one of Count, Ratio, TargetParameters and Blocks.");
        Refused(
            o =>
            {
                o.Count = 1;
                o.Ratio = 0.5;
            },
            "Count and Ratio are given");
        Refused(o => o.Ratio = 1, "Ratio 1 is not between 0 and 1");
        Refused(o => o.Ratio = double.NaN, "is not between 0 and 1");
        Refused(o => o.Count = -1, "-1 blocks cannot be removed");
        Refused(o => o.ProtectLast = -1, "ProtectLast -1");
    }

    [Fact]
    public void CreatePlan_TargetOfOtherWidth_PointsToTargetedWidth()
    {
        LlamaShape target = TestShapes.Mha12 with { HiddenSize = 16 };

        string message = Assert.Throws<PlanException>(() => new BlockDepthStrategy().CreatePlan(target, Scores)).Message;

        Assert.Contains("hidden size: expected 16, found 32", message, StringComparison.Ordinal);
        Assert.Contains("targeted-width", message, StringComparison.Ordinal);
        Assert.Contains("source only 12", Assert.Throws<PlanException>(() => new BlockDepthStrategy().CreatePlan(TestShapes.Uniform(13, 32, 4, 4, 8, 88, 260), Scores)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CreatePlan_NoLayerScores_NamesTheAxis()
    {
        var none = new ImportanceScores(TestShapes.Mha12, "empty");

        Assert.Contains("no Layers axis", Assert.Throws<ScoringException>(() => Plan(none, o => o.Count = 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Contiguous_Windows_SmallestFirstWinsWithinProtection()
    {
        double nan = double.NaN;
        ImportanceScores scores = Scores with
        {
            BlockWindows = [Row(12, (3, 1)), Row(11, (0, nan), (4, 2), (7, 2), (10, 0)), Row(10, (0, 1))],
        };

        Assert.Equal([10, 11], TestShapes.RemovalOrder(Window(2, 0, 0)));
        Assert.Equal([4, 5], TestShapes.RemovalOrder(Window(2, 0, 1)));
        Assert.Equal([7, 8], TestShapes.RemovalOrder(Window(2, 5, 1)));
        Assert.Equal([0, 1, 2], TestShapes.RemovalOrder(Window(3, 0, 0)));
        Assert.Equal([3, 4, 5], TestShapes.RemovalOrder(Window(3, 3, 0)));
        Assert.Equal(0, Window(0, 0, 0).RemovedBlocks.Count);
        Assert.Contains("offers no window of 4 of 12 blocks", Assert.Throws<PlanException>(() => Window(4, 0, 0)).Message, StringComparison.Ordinal);
        // 2 blocks of 12608 parameters each have to go; a single one is not enough.
        Assert.Equal([10, 11], TestShapes.RemovalOrder(Plan(scores, o => (o.Contiguous, o.TargetParameters) = (true, 167968 - 12609))));
        Assert.Contains("leaves 130144", Assert.Throws<PlanException>(() => Plan(scores, o => (o.Contiguous, o.TargetParameters) = (true, 1000))).Message, StringComparison.Ordinal);

        PruningPlan Window(int count, int first, int last) =>
            Plan(scores, o => (o.Contiguous, o.Count, o.ProtectFirst, o.ProtectLast) = (true, count, first, last));

        static ImmutableArray<double> Row(int length, params (int Start, double Value)[] set)
        {
            double[] row = [.. Enumerable.Repeat(9.0, length)];
            foreach ((int start, double value) in set)
                row[start] = value;
            return [.. row];
        }
    }

    [Fact]
    public void Contiguous_NoWindowsOrList_IsRefused()
    {
        Assert.Contains("have no block windows", Assert.Throws<ScoringException>(() => Plan(Scores, o => (o.Contiguous, o.Count) = (true, 2))).Message, StringComparison.Ordinal);
        Refused(o => (o.Contiguous, o.Blocks) = (true, [1]), "but Blocks names the blocks");
        ImportanceScores wrong = Scores with { BlockWindows = [[1, 2]] };
        Assert.Contains("have 2 windows of 1 blocks; a model of 12 blocks has 12", Assert.Throws<ScoringException>(() => Plan(wrong, o => (o.Contiguous, o.Count) = (true, 1))).Message, StringComparison.Ordinal);
    }

    private static PruningPlan Plan(ImportanceScores scores, Action<BlockDepthOptions> configure)
    {
        var options = new BlockDepthOptions();
        configure(options);
        return new BlockDepthStrategy(options).CreatePlan(scores);
    }

    private static void Refused(Action<BlockDepthOptions> configure, string text) =>
        Assert.Contains(text, Assert.Throws<PlanException>(() => Plan(Scores, configure)).Message, StringComparison.Ordinal);
}
