// A masked model and the model cut and folded by the same masks compute the same, whatever the masks and the kind of model.
using System.Collections.Immutable;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Folding;

public class MaskFoldPropertyTests
{
    private const PruningAxes SubBlocks = PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp, Blocks = PruningAxes.Width | PruningAxes.Layers;

    public static TheoryData<int, int, bool, string> Kinds()
    {
        var data = new TheoryData<int, int, bool, string>();
        foreach ((int q, int kv) in new[] { (4, 4), (4, 2), (6, 2), (4, 1) })
            foreach (bool tied in new[] { false, true })
                foreach (string biases in new[] { "none", "qkv", "o and mlp", "all" })
                    data.Add(q, kv, tied, biases);
        return data;
    }

    public static TheoryData<int, int, bool, string, PruningAxes> KindsAndAxes()
    {
        var data = new TheoryData<int, int, bool, string, PruningAxes>();
        foreach ((int q, int kv) in new[] { (4, 4), (4, 2), (4, 1) })
            foreach (PruningAxes axis in new[] { PruningAxes.Hidden, PruningAxes.QueryHeads, PruningAxes.KeyValueGroups, PruningAxes.Intermediate, PruningAxes.Attention, PruningAxes.Mlp, PruningAxes.Layers })
                data.Add(q, kv, q == kv, q == kv ? "all" : "qkv", axis);
        return data;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Apply_AllFamiliesTogether_EqualsTheMaskedModel(int q, int kv, bool tied, string biases)
    {
        for (int seed = 0; seed < 4; seed++)
            Check(q, kv, tied, biases, seed, shape => TinyMasks.Random(shape, seed % 2 == 0 ? SubBlocks : Blocks, seed));
    }

    // T7: in float64 nothing but the arithmetic of the fold itself is compared.
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Apply_Float64_EqualsTheMaskedModelToTheLastDigits(int q, int kv, bool tied, string biases)
    {
        for (int seed = 0; seed < 4; seed++)
        {
            using LlamaModel model = TinyLlama.Create(TinyMasks.Config(q, kv, tied, biases), seed, ScalarType.Float64);
            MaskValues masks = TinyMasks.Random(model.Config.Shape, seed % 2 == 0 ? SubBlocks : TinyMasks.All, seed);
            using LlamaModel cut = MaskFold.Apply(model, masks);
            TinyMasks.AssertSameInFloat64(model, masks, cut, 1e-10);
        }
    }

    [Theory]
    [MemberData(nameof(KindsAndAxes))]
    public void Apply_OneFamilyAlone_EqualsTheMaskedModel(int q, int kv, bool tied, string biases, PruningAxes axis)
    {
        for (int seed = 0; seed < 3; seed++)
            Check(q, kv, tied, biases, seed, shape => TinyMasks.Random(shape, axis, seed));
    }

    [Theory]
    [InlineData(4, 4)]
    [InlineData(4, 2)]
    public void Apply_NoZeros_KeepsTheShapeAndEqualsTheMaskedModel(int q, int kv)
    {
        for (int seed = 0; seed < 3; seed++)
        {
            PruningPlan plan = Check(q, kv, seed == 1, "all", seed, shape => TinyMasks.Random(shape, TinyMasks.All, seed, zeros: false));
            Assert.Equal(plan.Source, plan.Target);
        }
    }

    // The masked sub-block still adds the bias of its output projection: with one, a unit that computes nothing has to stay for it.
    [Theory]
    [InlineData("none", 0)]
    [InlineData("qkv", 0)]
    [InlineData("all", 1)]
    public void Apply_AllHeadsOfABlockZero_AttentionGoesUnlessItHasAnOutputBias(string biases, int left)
    {
        PruningPlan plan = Check(4, 2, false, biases, 5, shape => TinyMasks.Random(shape, SubBlocks, 5, zeros: false).With(PruningAxes.QueryHeads, (i, z) => i / 4 == 1 ? 0 : z));
        Assert.Equal([4, left, 4, 4], plan.Target.Layers.Select(l => l.QueryHeads));
        Assert.Equal(24, plan.Target.Layers[1].IntermediateSize);
    }

    [Theory]
    [InlineData("qkv", 0)]
    [InlineData("o and mlp", 1)]
    public void Apply_AllIntermediatesOfABlockZero_FeedForwardGoesUnlessItHasAnOutputBias(string biases, int left)
    {
        PruningPlan plan = Check(4, 4, true, biases, 6, shape => TinyMasks.Random(shape, SubBlocks, 6, zeros: false).With(PruningAxes.Intermediate, (i, z) => i / 24 == 3 ? 0 : z));
        Assert.Equal([24, 24, 24, left], plan.Target.Layers.Select(l => l.IntermediateSize));
    }

    [Fact]
    public void Apply_SubBlockValueZero_AttentionGoesWithItsBias()
    {
        PruningPlan plan = Check(4, 2, false, "all", 5, shape => TinyMasks.Random(shape, SubBlocks, 5, zeros: false).With(PruningAxes.Attention, (i, z) => i == 2 ? 0 : z));
        Assert.Equal([4, 4, 0, 4], plan.Target.Layers.Select(l => l.QueryHeads));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Apply_AllButOneHiddenZero_EqualsTheMaskedModel(bool tied)
    {
        PruningPlan plan = Check(4, 2, tied, "all", 7, shape => TinyMasks.Random(shape, Blocks, 7, zeros: false).With(PruningAxes.Hidden, (i, _) => i == 9 ? 0.3f : 0));
        Assert.Equal(IndexSet.Of([9]), plan.Hidden);
    }

    [Fact]
    public void Apply_BlockGoneByEitherWay_IsRemovedAndTheOthersAreRenumbered()
    {
        PruningPlan byBlock = Check(4, 2, false, "qkv", 8, shape => TinyMasks.Random(shape, Blocks, 8, zeros: false).With(PruningAxes.Layers, (i, z) => i == 1 ? 0 : z));
        PruningPlan bySubBlocks = Check(4, 2, false, "qkv", 8, shape => TinyMasks.Random(shape, SubBlocks, 8, zeros: false)
            .With(PruningAxes.Attention, (i, z) => i == 1 ? 0 : z).With(PruningAxes.Mlp, (i, z) => i == 1 ? 0 : z));
        Assert.Equal([0, 2, 3], byBlock.Layers.Select(l => l.SourceIndex));
        Assert.Equal(byBlock.Layers.AsEnumerable(), bySubBlocks.Layers);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Apply_PlainEmbedding_EqualsTheModelWhoseEmbeddingIsNotMasked(bool tied)
    {
        for (int seed = 0; seed < 3; seed++)
            Check(4, 2, tied, "all", seed, shape => TinyMasks.Random(shape, Blocks, seed), gateEmbedding: false);
    }

    [Fact]
    public void Apply_UnequalGroupsInTheSource_EqualsTheMaskedModel()
    {
        LlamaConfig config = TinyLlama.Config([new(4, 2, 24) { GroupSizes = [1, 3] }, new(2, 1, 12), new(0, 0, 8), new(4, 4, 0)], biases: true);
        for (int seed = 0; seed < 4; seed++)
        {
            using LlamaModel model = TinyLlama.Create(config, seed);
            MaskValues masks = TinyMasks.Random(config.Shape, seed % 2 == 0 ? SubBlocks : Blocks, seed);
            using LlamaModel cut = MaskFold.Apply(model, masks);
            TinyMasks.AssertSame(model, masks, cut);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Apply_ReferenceOutput_AgreesForBinaryMasksOnly(bool soft)
    {
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(4, 4, false, "none"), 3);
        MaskValues masks = TinyMasks.Random(model.Config.Shape, Blocks, 3, soft);
        using LlamaModel reference = MaskFold.Apply(model, masks, new MaskFoldOptions { ReferenceOutput = true });
        using LlamaGates inTraining = masks.ToGates(gateEmbedding: false);
        float[] cut = TinyMasks.Run(reference, 9, null).Logits, masked = TinyMasks.Run(model, 9, inTraining).Logits;
        if (soft)
            Assert.True(cut.Zip(masked, (a, b) => Math.Abs(a - b)).Max() > 1e-2);
        else
            Near.Equal(masked, cut, 1e-5);
    }

    [Fact]
    public void Apply_HalfPrecision_RoundsTheFloat32ProductOnce()
    {
        foreach (ScalarType dtype in new[] { ScalarType.BFloat16, ScalarType.Float16 })
        {
            LlamaConfig config = TinyMasks.Config(4, 2, false, "all");
            using LlamaModel half = TinyLlama.Create(config, 4, dtype), wide = new(config);
            using (no_grad())
                foreach (((_, var from), (_, var to)) in half.NamedWeights().Zip(wide.NamedWeights()))
                    to.copy_(from);
            MaskValues masks = TinyMasks.Random(config.Shape, Blocks, 4);
            using LlamaModel halfCut = MaskFold.Apply(half, masks), wideCut = MaskFold.Apply(wide, masks);
            Assert.Equal(dtype, halfCut.Dtype);
            using var scope = NewDisposeScope();
            foreach (((string name, var actual), (_, var expected)) in halfCut.NamedWeights().Zip(wideCut.NamedWeights()))
                Assert.True(expected.to(dtype).bytes.SequenceEqual(actual.bytes), name);
        }
    }

    [Fact]
    public void Apply_LeavesTheSourceAndItsBytes()
    {
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(4, 2, true, "all"), 2);
        byte[][] before = [.. model.NamedWeights().Select(w => w.Weight.bytes.ToArray())];
        using LlamaModel cut = MaskFold.Apply(model, TinyMasks.Random(model.Config.Shape, Blocks, 2));
        Assert.All(model.NamedWeights().Zip(before), w => Assert.True(w.First.Weight.bytes.SequenceEqual(w.Second), w.First.Name));
        Assert.DoesNotContain(cut.NamedWeights(), w => w.Weight.requires_grad);
    }

    [Theory]
    [InlineData(4, 4, false, "none")]
    [InlineData(4, 2, true, "qkv")]
    [InlineData(4, 1, false, "qkv")]
    [InlineData(6, 2, true, "none")]
    [InlineData(4, 4, false, "all")]
    public void Save_FoldedModel_LoadsStrictlyWithIdenticalLogits(int q, int kv, bool tied, string biases)
    {
        for (int seed = 0; seed < 2; seed++)
        {
            using LlamaModel model = TinyLlama.Create(TinyMasks.Config(q, kv, tied, biases), seed);
            MaskValues masks = TinyMasks.Random(model.Config.Shape, seed == 0 ? SubBlocks : Blocks, seed);
            using LlamaModel cut = MaskFold.Apply(model, masks);
            string folder = Path.Combine(Path.GetTempPath(), $"fold-{Guid.NewGuid():n}");
            try
            {
                cut.Save(folder);
                using LlamaModel back = LlamaModel.Load(folder);   // refuses missing, unexpected and misshapen tensors
                Assert.Equal(cut.Config.Shape, back.Config.Shape);
                Assert.Equal(TinyMasks.Run(cut, 9, null).Logits, TinyMasks.Run(back, 9, null).Logits);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static PruningPlan Check(int q, int kv, bool tied, string biases, int seed, Func<LlamaShape, MaskValues> make, bool gateEmbedding = true)
    {
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(q, kv, tied, biases), seed);
        MaskValues masks = make(model.Config.Shape);
        PruningPlan plan = MaskFold.Plan(masks);
        using LlamaModel cut = MaskFold.Apply(model, masks, new MaskFoldOptions { GateEmbedding = gateEmbedding });
        Assert.Equal(plan.Target, cut.Config.Shape);
        Assert.Equal(plan.Target.ParameterCount, cut.NamedWeights().Sum(w => w.Weight.NumberOfElements));
        Assert.Equal(tied, cut.lm_head is null);
        TinyMasks.AssertSame(model, masks, cut, gateEmbedding);
        return plan;
    }
}
