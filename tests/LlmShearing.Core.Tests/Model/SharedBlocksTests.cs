// A depth cut on the memory of its source: same function as the copy, weights of its source, taps of its own.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using LlmShearing.Training;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Model;

public class SharedBlocksTests
{
    public static TheoryData<bool, bool> Kinds => new() { { false, false }, { true, false }, { false, true } };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ShareBlocks_DepthPlan_SameBitsAsTheCut(bool tied, bool biases)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 5, tied: tied, biases: biases) with { SlidingWindows = [null, 3, null, 4, 2] });
        PruningPlan plan = Plan(model.Config.Shape);
        using LlamaModel cut = ModelSurgery.Apply(model, plan), shared = model.ShareBlocks(plan);
        Assert.True(shared.SharesWeights);
        Assert.False(cut.SharesWeights);
        Assert.Equal(Logits(cut), Logits(shared));
        Assert.Equal(cut.NamedWeights().Select(w => w.Name), shared.NamedWeights().Select(w => w.Name));
        Assert.Equal(cut.Config.SlidingWindows.AsEnumerable(), shared.Config.SlidingWindows.AsEnumerable());
        Assert.NotEqual(Logits(model), Logits(shared));
    }

    [Fact]
    public void ShareBlocks_AnyWeight_IsTheMemoryOfTheSource()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 5, biases: true));
        PruningPlan plan = Plan(model.Config.Shape);
        using LlamaModel shared = model.ShareBlocks(plan);
        HashSet<nint> own = [.. model.NamedWeights().Select(w => Address(w.Weight))];
        Assert.All(shared.NamedWeights(), w => Assert.Contains(Address(w.Weight), own));
        Assert.Equal(Address(model.layers[3].mlp!.up_proj.weight), Address(shared.layers[2].mlp!.up_proj.weight));
    }

    [Fact]
    public void Dispose_EitherFirst_TheOtherGoesOn()
    {
        LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 5));
        PruningPlan plan = Plan(model.Config.Shape);
        float[] expected = Logits(model);
        LlamaModel shared = model.ShareBlocks(plan);
        float[] cut = Logits(shared);
        shared.Dispose();
        Assert.Equal(expected, Logits(model));
        shared = model.ShareBlocks(plan);
        model.Dispose();
        Assert.Equal(cut, Logits(shared));
        shared.Dispose();
    }

    [Fact]
    public void ShareBlocks_PlanCutsInsideBlocks_IsRefused()
    {
        using LlamaModel model = TinyLlama.Create();
        PruningPlan all = PruningPlan.Identity(model.Config.Shape);
        void Refused(PruningPlan plan, string expected) => Assert.Contains(expected, Assert.Throws<PlanException>(() => model.ShareBlocks(plan)).Message, StringComparison.Ordinal);
        Refused(all with { Hidden = IndexSet.Of([0, 1]) }, "2 of 16 residual channels");
        Refused(all with { Layers = [all.Layers[0], all.Layers[1] with { QueryHeads = IndexSet.Of([0, 2, 3]) }] }, "3 of 4 query heads of block 1");
        Refused(all with { Layers = [all.Layers[0] with { Intermediate = IndexSet.Of([5]) }] }, "1 of 24 intermediate channels of block 0");
        Refused(PruningPlan.Identity(TinyLlama.Config(layers: 2).Shape), "another model");
    }

    [Fact]
    public void FullModel_SharedWeights_IsRefused()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 5)), shared = model.ShareBlocks(Plan(model.Config.Shape));
        Assert.Throws<TrainingException>(() => new FullModel(shared));
    }

    // Blocks 1 and 4 go, and with them the attention of block 2.
    private static PruningPlan Plan(LlamaShape shape)
    {
        PruningPlan plan = PruningPlan.RemoveBlocks(shape, [1, 4]);
        return plan with { Layers = plan.Layers.SetItem(1, plan.Layers[1] with { QueryHeads = IndexSet.Of([]) }) };
    }

    private static unsafe nint Address(Tensor weight) => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(weight.bytes));

    private static float[] Logits(LlamaModel model)
    {
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        return model.forward(TinyLlama.Ids(TinyLlama.Batch(3, 2, 9))).data<float>().ToArray();
    }
}
