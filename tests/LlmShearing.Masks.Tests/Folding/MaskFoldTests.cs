// Plans from masks: exact shapes, groups that stay consistent, published sizes, and what is refused.
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests.Folding;

public class MaskFoldTests
{
    public static TheoryData<int, int, int, int> Grouped() => new()
    {
        { 4, 4, 2, 2 },     // heads of a multi-head model
        { 8, 4, 4, 2 },     // whole groups
        { 8, 4, 4, 4 },     // query heads within groups
        { 12, 4, 4, 2 },    // both
        { 4, 1, 2, 1 },     // a single group
    };

    [Theory]
    [MemberData(nameof(Grouped))]
    public void Plan_ExactMasks_HasTheTargetShapeWithConsistentGroups(int q, int kv, int targetQ, int targetKv)
    {
        for (int seed = 0; seed < 3; seed++)
        {
            LlamaConfig config = TinyMasks.Config(q, kv, seed == 0, "qkv");
            using MaskState masks = TinyMasks.State(config.Shape, TinyMasks.Target(config.Shape, targetQ, targetKv), seed);
            MaskValues settled = masks.Deterministic();
            PruningPlan plan = MaskFold.Plan(settled);
            Assert.Equal(masks.Layout.Target, plan.Target);
            int[] owner = config.Shape.Layers[0].KeyValueHeadOfQueryHead();
            for (int l = 0; l < plan.Layers.Length; l++)
            {
                Assert.Equal(plan.Layers[l].QueryHeads.Indices.Select(h => owner[h]).Distinct(), plan.KeyValueHeads(l).Indices);
                Assert.All(plan.Layers[l].QueryHeads.Indices.GroupBy(h => owner[h]), g => Assert.Equal(targetQ / targetKv, g.Count()));
            }

            using LlamaModel model = TinyLlama.Create(config, seed);
            using LlamaModel cut = MaskFold.Apply(model, settled);
            TinyMasks.AssertSame(model, settled, cut);
        }
    }

    // In training every micro-batch draws masks of its own; groups may then be unequal, and the model they describe is still exact.
    [Theory]
    [MemberData(nameof(Grouped))]
    public void Apply_SampledMasks_EqualsTheMaskedModel(int q, int kv, int targetQ, int targetKv)
    {
        LlamaConfig config = TinyMasks.Config(q, kv, false, "none");
        using MaskState masks = TinyMasks.State(config.Shape, TinyMasks.Target(config.Shape, targetQ, targetKv), 5);
        using LlamaModel model = TinyLlama.Create(config, 5);
        for (ulong seed = 0; seed < 4; seed++)
        {
            MaskValues sampled = masks.Sample(new SeededMaskNoise(seed)).Values;
            using LlamaModel cut = MaskFold.Apply(model, sampled);
            TinyMasks.AssertSame(model, sampled, cut);
        }
    }

    // LLM-Shearing's shapes (Sheared-LLaMA 2.7B, 1.3B and the 370M configuration) from LLaMA-2 7B; spec of the original's configs.
    [Theory]
    [InlineData(2560, 32, 20, 6912, 2_701_560_320)]
    [InlineData(2048, 24, 16, 5504, 1_345_423_360)]
    [InlineData(1024, 24, 8, 2816, 373_867_520)]
    public void Plan_SevenBillion_HasThePublishedParameterCounts(int hidden, int layers, int heads, int intermediate, long parameters)
    {
        LlamaShape source = Shape(4096, 32, 32, 11008), target = Shape(hidden, layers, heads, intermediate);
        Assert.Equal(6_738_415_616, source.ParameterCount);
        using MaskState masks = TinyMasks.State(source, target, 1);
        PruningPlan plan = MaskFold.Plan(masks.Deterministic());
        Assert.Equal(target, plan.Target);
        Assert.Equal(parameters, plan.Target.ParameterCount);
    }

    [Fact]
    public void Plan_EverythingZero_IsRefused()
    {
        MaskValues masks = TinyMasks.Random(TinyLlama.Config().Shape, PruningAxes.Hidden | PruningAxes.Layers, 0);
        Assert.Contains("All 16 hidden values", Assert.Throws<MaskException>(() => MaskFold.Plan(masks.With(PruningAxes.Hidden, (_, _) => 0))).Message, StringComparison.Ordinal);
        Assert.Contains("all 3 blocks", Assert.Throws<MaskException>(() => MaskFold.Plan(masks.With(PruningAxes.Layers, (_, _) => 0))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_BadInput_IsRefusedByName()
    {
        using LlamaModel tied = TinyLlama.Create(TinyLlama.Config(tied: true));
        MaskValues masks = TinyMasks.Random(tied.Config.Shape, PruningAxes.Hidden, 0), other = TinyMasks.Random(TinyLlama.Config(layers: 4).Shape, PruningAxes.Hidden, 0);
        Assert.Contains("ReferenceOutput", Assert.Throws<MaskException>(() => MaskFold.Apply(tied, masks, new MaskFoldOptions { ReferenceOutput = true })).Message, StringComparison.Ordinal);
        Assert.Contains("number of blocks", Assert.Throws<PlanException>(() => MaskFold.Apply(tied, other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToGates_Values_AreThoseOfTheMasks()
    {
        MaskValues masks = TinyMasks.Random(TinyLlama.Config().Shape, PruningAxes.Width | PruningAxes.Mlp, 3);
        using LlamaGates gates = masks.ToGates(requiresGrad: true, gateEmbedding: false);
        Assert.Equal(PruningAxes.Width | PruningAxes.Mlp, gates.Axes);
        Assert.False(gates.GateEmbedding);
        Assert.All(gates.Tensors(), g => Assert.True(g.requires_grad));
        Assert.Equal(masks[PruningAxes.Hidden]!.Value.ToArray(), gates.Hidden!.data<float>().ToArray());
        Assert.Equal(masks[PruningAxes.QueryHeads]!.Value.ToArray(), gates.QueryHeads!.SelectMany(g => g.data<float>().ToArray()));
        Assert.Null(masks[PruningAxes.Layers]);
    }

    private static LlamaShape Shape(int hidden, int layers, int heads, int intermediate) => new()
    {
        VocabSize = 32000,
        HiddenSize = hidden,
        HeadDim = 128,
        Layers = [.. Enumerable.Repeat(new LayerShape(heads, heads, intermediate), layers)],
    };
}
