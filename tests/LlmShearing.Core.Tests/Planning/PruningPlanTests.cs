using LlmShearing.Plans;

namespace LlmShearing.Core.Tests.Planning;

public class PruningPlanTests
{
    [Fact]
    public void Identity_AnyShape_TargetEqualsSource()
    {
        PruningPlan plan = PruningPlan.Identity(TestShapes.Gqa10);

        Assert.True(plan.IsIdentity);
        Assert.Equal(TestShapes.Gqa10, plan.Target);
        Assert.Equal(0, plan.RemovedBlocks.Count);
    }

    [Fact]
    public void Target_OneQueryHeadOfAGroupLeft_KeyValueHeadStays()
    {
        PruningPlan plan = PruningPlan.FromKept(TestShapes.Gqa10, new KeptUnits { QueryHeads = UnitSelection.Parse("0:2;1:0-1,3;2:1-2,4-5;3:") });

        Assert.Equal(new LayerShape(1, 1, 80), plan.Target.Layers[0]);
        Assert.Equal("0", plan.KeyValueHeads(0).ToString());
        Assert.Equal(new LayerShape(3, 2, 80) { GroupSizes = [2, 1] }, plan.Target.Layers[1]);
        Assert.Equal(new LayerShape(4, 2, 80), plan.Target.Layers[2]);
        Assert.Equal(new LayerShape(0, 0, 80), plan.Target.Layers[3]);
        Assert.Equal(0, plan.KeyValueHeads(3).Count);
        Assert.Equal(TestShapes.Gqa10.Layers[4], plan.Target.Layers[4]);
        Assert.False(plan.IsIdentity);
        Assert.False(plan.Target.IsUniform);
    }

    [Fact]
    public void Target_UnequalGroupsOfSource_AreCountedByOwner()
    {
        LlamaShape source = TestShapes.Uniform(1, 8, 6, 3, 4, 5, 20) with { Layers = [new LayerShape(6, 3, 5) { GroupSizes = [3, 1, 2] }] };
        PruningPlan plan = PruningPlan.FromKept(source, new KeptUnits { QueryHeads = UnitSelection.Parse("1-2,4-5") });

        Assert.Equal(new LayerShape(4, 2, 5), plan.Target.Layers[0]);
        Assert.Equal("0,2", plan.KeyValueHeads(0).ToString());
    }

    [Fact]
    public void RemoveBlocks_InOrder_RecordsOrderAndKeepsTheRest()
    {
        PruningPlan plan = PruningPlan.RemoveBlocks(TestShapes.Mha12, [9, 4, 7]);

        Assert.Equal([0, 1, 2, 3, 5, 6, 8, 10, 11], plan.Layers.Select(l => l.SourceIndex));
        Assert.Equal([9, 4, 7], TestShapes.RemovalOrder(plan));
        Assert.Equal("4,7,9", plan.RemovedBlocks.ToString());
        Assert.Equal(130144, plan.Target.ParameterCount);
    }

    [Theory]
    [InlineData(new[] { 3, 12 }, "Block 12 cannot be removed: the model has blocks 0 to 11.")]
    [InlineData(new[] { 3, 3 }, "Index 3 occurs twice.")]
    [InlineData(new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, "All 12 blocks would be removed. Keep at least one.")]
    public void RemoveBlocks_ImpossibleList_IsRefused(int[] blocks, string message) =>
        Assert.Equal(message, Assert.Throws<PlanException>(() => PruningPlan.RemoveBlocks(TestShapes.Mha12, blocks)).Message);

    [Fact]
    public void Validate_BadPlans_NameTheFault()
    {
        PruningPlan good = PruningPlan.Identity(TestShapes.Mha12);
        LayerPlan first = good.Layers[0];

        Refused(good with { Hidden = IndexSet.Empty }, "keeps none of 32 residual channels");
        Refused(good with { Hidden = IndexSet.Parse("0,32") }, "index 32 of the hidden, but the source has only 32");
        Refused(good with { Layers = [] }, "keeps none of 12 blocks");
        Refused(good with { Layers = [first with { SourceIndex = 12 }] }, "layers[0] keeps block 12");
        Refused(good with { Layers = [first with { SourceIndex = 3 }, first with { SourceIndex = 3 }] }, "layers[1] keeps block 3 after block 3");
        Refused(good with { Layers = [first with { QueryHeads = IndexSet.Parse("4") }] }, "query heads of block 0");
        Refused(good with { Layers = [first with { Intermediate = IndexSet.Parse("88") }] }, "intermediate channels of block 0");
        Refused(good with { Version = 2 }, "Plan version 2 is not known");
        Refused(good with { Source = good.Source with { HeadDim = 0 } }, "head dimension is 0");
        Refused(good with { Source = good.Source with { Layers = [new LayerShape(4, 3, 88)] } }, "4 query heads, which do not divide evenly among 3");
        Refused(good with { Source = good.Source with { Layers = [new LayerShape(4, 2, 88) { GroupSizes = [1, 2] }] } }, "group sizes 1+2");
        Refused(good with { Source = good.Source with { Layers = [new LayerShape(4, 0, 88)] } }, "0 key/value heads for 4 query heads");

        static void Refused(PruningPlan plan, string text)
        {
            Assert.Contains(text, Assert.Throws<PlanException>(plan.Validate).Message, StringComparison.Ordinal);
            Assert.Throws<PlanException>(() => plan.Target);
        }
    }

    [Fact]
    public void EnsureFor_OtherModel_SaysWhichDimensionDiffers()
    {
        PruningPlan plan = PruningPlan.RemoveBlocks(TestShapes.Mha12, [3]);

        plan.EnsureFor(TestShapes.Mha12);
        Check(TestShapes.Mha12 with { HiddenSize = 40 }, "hidden size: expected 32, found 40");
        Check(TestShapes.Mha12 with { TiedEmbeddings = true }, "tied embeddings: expected False, found True");
        Check(plan.Target, "number of blocks: expected 12, found 11");
        Check(TestShapes.Uniform(12, 32, 4, 2, 8, 88, 260), "key/value heads of block 0: expected 4, found 2");
        Check(TestShapes.Mha12 with { Layers = TestShapes.Mha12.Layers.SetItem(5, new LayerShape(4, 4, 87)) }, "intermediate size of block 5: expected 88, found 87");

        void Check(LlamaShape shape, string text) =>
            Assert.Equal($"The plan was made for another model: {text}. Use the model it was made from, or make a new plan.", Assert.Throws<PlanException>(() => plan.EnsureFor(shape)).Message);
    }

    [Fact]
    public void Equals_SamePlanMadeTwice_IsEqual()
    {
        PruningPlan a = TestShapes.RandomPlan(TestShapes.Gqa10, new Random(5)) with { Provenance = new PlanProvenance("x") { RemovedBlocks = [3, 1] } };
        PruningPlan b = TestShapes.RandomPlan(TestShapes.Gqa10, new Random(5)) with { Provenance = new PlanProvenance("x") { RemovedBlocks = new List<int> { 3, 1 } } };

        Assert.Equal(a, b);
        Assert.Equal(a.GetHashCode(), b.GetHashCode());
        Assert.NotEqual(a, b with { Provenance = new PlanProvenance("x") { RemovedBlocks = [1, 3] } });
        Assert.NotEqual(a, b with { Hidden = IndexSet.All(48) });
    }

    [Fact]
    public void Then_RandomPlans_IsAssociativeAndReachesTheLastTarget()
    {
        var random = new Random(1);
        for (int i = 0; i < 100; i++)
        {
            PruningPlan a = TestShapes.RandomPlan(i % 2 == 0 ? TestShapes.Gqa10 : TestShapes.Mha12, random);
            PruningPlan b = TestShapes.RandomPlan(a.Target, random);
            PruningPlan c = TestShapes.RandomPlan(b.Target, random);

            Assert.Equal(c.Target, a.Then(b).Then(c).Target);
            Assert.Equal(a.Then(b).Then(c), a.Then(b.Then(c)));
            Assert.Equal(a, a.Then(PruningPlan.Identity(a.Target)));
            Assert.Equal(a, PruningPlan.Identity(a.Source).Then(a));
        }
    }

    [Fact]
    public void Then_HeadsThenChannels_EqualsChannelsThenHeads()
    {
        var random = new Random(2);
        for (int i = 0; i < 50; i++)
        {
            UnitSelection heads = UnitSelection.ByBlock(Enumerable.Range(0, 10).Select(b => KeyValuePair.Create(b, TestShapes.Subset(6, random))));
            UnitSelection channels = UnitSelection.ByBlock(Enumerable.Range(0, 10).Select(b => KeyValuePair.Create(b, TestShapes.Subset(80, random))));
            PruningPlan h = PruningPlan.FromKept(TestShapes.Gqa10, new KeptUnits { QueryHeads = heads });
            PruningPlan c = PruningPlan.FromKept(TestShapes.Gqa10, new KeptUnits { Intermediate = channels });
            PruningPlan afterHeads = PruningPlan.FromKept(h.Target, new KeptUnits { Intermediate = channels });
            PruningPlan afterChannels = PruningPlan.FromKept(c.Target, new KeptUnits { QueryHeads = heads });

            Assert.Equal(h.Then(afterHeads), c.Then(afterChannels));
        }
    }

    [Fact]
    public void Then_TwoRemovals_OrderIsInSourceIndices()
    {
        PruningPlan first = PruningPlan.RemoveBlocks(TestShapes.Mha12, [6, 2]);
        PruningPlan both = first.Then(PruningPlan.RemoveBlocks(first.Target, [7, 0]));

        Assert.Equal([6, 2, 9, 0], TestShapes.RemovalOrder(both));
        Assert.Equal("0,2,6,9", both.RemovedBlocks.ToString());
    }

    [Fact]
    public void Then_PlanForAnotherShape_IsRefused()
    {
        PruningPlan first = PruningPlan.RemoveBlocks(TestShapes.Mha12, [6]);

        Assert.Contains("number of blocks: expected 11, found 12", Assert.Throws<PlanException>(() => first.Then(first)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_PlanWithARemovedBlock_CoversEverySourceBlock()
    {
        PruningPlan plan = PruningPlan.FromKept(TestShapes.Mha12, new KeptUnits { Layers = IndexSet.Parse("0-2,5"), QueryHeads = UnitSelection.Parse("5:1-3"), Intermediate = UnitSelection.Everywhere(IndexSet.All(22)) });
        var rows = plan.Describe();

        Assert.Equal(12, rows.Length);
        Assert.Equal(new LayerDescription(5, 3, new LayerShape(4, 4, 88), new LayerShape(3, 3, 22), plan.Layers[3]), rows[5]);
        Assert.Equal(0.75, rows[5].QueryHeadsKept);
        Assert.Equal(0.25, rows[5].IntermediateKept);
        Assert.False(rows[4].IsKept);
        Assert.Equal(0, rows[4].QueryHeadsKept);
    }
}
