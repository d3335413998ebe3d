using LlmShearing.Planning;

namespace LlmShearing.Core.Tests.Planning;

public class TargetShapeTests
{
    [Fact]
    public void Of_NothingNamed_IsTheSource() => Assert.Equal(TestShapes.Gqa10, TargetShape.Of(TestShapes.Gqa10, new TargetSizes()));

    [Fact]
    public void Of_QueryHeadsOnly_FollowsTheMode()
    {
        Assert.Equal(new LayerShape(3, 1, 80), TargetShape.Of(TestShapes.Gqa10, new TargetSizes { QueryHeads = 3 }).Layers[0]);
        Assert.Equal(new LayerShape(4, 2, 80), TargetShape.Of(TestShapes.Gqa10, new TargetSizes { QueryHeads = 4, Heads = HeadPruning.WithinGroups }).Layers[0]);
        Assert.Equal(new LayerShape(3, 3, 88), TargetShape.Of(TestShapes.Mha12, new TargetSizes { QueryHeads = 3 }).Layers[0]);
    }

    [Fact]
    public void Of_ImpossibleSizes_NameAxisAndNumbers()
    {
        Refused(new TargetSizes { Hidden = 0 }, "hidden: 0 wanted, the source has 48. Give 1 to 48.");
        Refused(new TargetSizes { Intermediate = 81 }, "intermediate: 81 wanted, the source has 80.");
        Refused(new TargetSizes { Layers = 11 }, "layers: 11 wanted, the source has 10.");
        Refused(new TargetSizes { QueryHeads = 4 }, "query heads: 4 is not a multiple of the 3 that share a key/value head");
        Refused(new TargetSizes { QueryHeads = 3, Heads = HeadPruning.WithinGroups }, "query heads: 3 cannot be shared by 2 key/value heads");
        Refused(new TargetSizes { QueryHeads = 6, KeyValueHeads = 1 }, "at most 3. Choose a multiple of 1 up to 3");
        Refused(new TargetSizes { KeyValueHeads = 3 }, "key/value heads: 3 wanted");

        static void Refused(TargetSizes sizes, string text) =>
            Assert.Contains(text, Assert.Throws<PlanException>(() => TargetShape.Of(TestShapes.Gqa10, sizes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_HeterogeneousSource_IsRefused()
    {
        LlamaShape source = TestShapes.Gqa10 with { Layers = TestShapes.Gqa10.Layers.SetItem(0, new LayerShape(6, 2, 79)) };

        Assert.Contains("differ in shape", Assert.Throws<PlanException>(() => TargetShape.Of(source, new TargetSizes())).Message, StringComparison.Ordinal);
    }

    // T18: floor of an exact product, also where binary fractions fall short of it.
    [Theory]
    [InlineData(0.1, 10, 9)]
    [InlineData(0.2, 10, 8)]
    [InlineData(0.3, 10, 7)]
    [InlineData(0.7, 10, 3)]
    [InlineData(0.9, 10, 1)]
    [InlineData(0.25, 10, 8)]
    [InlineData(0.5, 11, 6)]
    [InlineData(0.29, 100, 71)]
    [InlineData(0.57, 100, 43)]
    [InlineData(0.99, 3, 1)]
    [InlineData(0.0, 10, 10)]
    public void Reduce_Ratio_RemovesTheExactFloor(double ratio, int size, int left) =>
        Assert.Equal(left, TargetShape.Reduce(TestShapes.Uniform(1, size, 1, 1, 2, 5, 20), PruningAxes.Hidden, ratio).HiddenSize);

    [Fact]
    public void Reduce_SeveralAxes_EachByItself()
    {
        LlamaShape source = TestShapes.Uniform(10, 48, 12, 4, 8, 80, 260);

        Assert.Equal(TestShapes.Uniform(5, 24, 6, 2, 8, 40, 260), TargetShape.Reduce(source, PruningAxes.Width | PruningAxes.Layers, 0.5));
        Assert.Equal(new LayerShape(8, 4, 80), TargetShape.Reduce(source, PruningAxes.QueryHeads, 0.34).Layers[0]);
        Assert.Equal(new LayerShape(2, 2, 88), TargetShape.Reduce(TestShapes.Mha12, PruningAxes.QueryHeads, 0.5).Layers[0]);
        Assert.Throws<PlanException>(() => TargetShape.Reduce(source, PruningAxes.Mlp, 0.5));
        Assert.Throws<PlanException>(() => TargetShape.Reduce(source, PruningAxes.Hidden, 1));
    }
}
