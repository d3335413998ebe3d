// The library's central property: a model under the gates of a plan computes what the cut model computes.
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Surgery;

public class GatedEqualsPrunedTests
{
    public static TheoryData<int, int, int, bool, bool, bool> Kinds()
    {
        var data = new TheoryData<int, int, int, bool, bool, bool>();
        foreach ((int q, int kv) in new[] { (4, 4), (4, 2), (4, 1), (6, 2) })
            foreach (bool biases in new[] { false, true })
                foreach (bool padded in new[] { false, true })
                    for (int seed = 0; seed < 3; seed++)
                        data.Add(seed, q, kv, seed % 2 == 0, biases, padded);
        return data;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Forward_RandomPlanOnAllAxes_GatedEqualsCut(int seed, int queryHeads, int keyValueHeads, bool tied, bool biases, bool padded)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(5, 16, queryHeads, keyValueHeads, 4, 24, 50, tied, biases), seed);
        PruningPlan plan = RandomPlan(model.Config.Shape, seed);
        using LlamaModel cut = ModelSurgery.Apply(model, plan);
        Assert.Equal(plan.Target, cut.Config.Shape);
        Assert.Equal(plan.Target.ParameterCount, cut.NamedWeights().Sum(w => w.Weight.NumberOfElements));
        using LlamaGates gates = LlamaGates.FromPlan(plan);

        // Few tokens gate the activations, many the weights: both ways must agree with the cut.
        foreach (int length in new[] { 7, 40 })
        {
            bool[]? mask = padded ? [.. Enumerable.Range(0, 3 * length).Select(i => i % length >= i / length)] : null;
            float[] expected = Logits(cut, length, new ForwardOptions { AttentionMask = mask });
            float[] actual = Logits(model, length, new ForwardOptions { AttentionMask = mask, Gates = gates });
            Near.Equal(expected, actual, 1e-5, 1e-5, $"length {length}", i => mask is null || mask[i / 50]);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Apply_PlansOneAfterTheOther_EqualTheirComposition(int seed, int queryHeads, int keyValueHeads, bool tied, bool biases, bool padded)
    {
        _ = padded;
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(5, 16, queryHeads, keyValueHeads, 4, 24, 50, tied, biases), seed);
        PruningPlan first = RandomPlan(model.Config.Shape, seed), second = RandomPlan(first.Target, seed + 100);
        using LlamaModel once = ModelSurgery.Apply(model, first.Then(second));
        using LlamaModel middle = ModelSurgery.Apply(model, first);
        using LlamaModel twice = ModelSurgery.Apply(middle, second);
        Assert.Equal(once.Config.Shape, twice.Config.Shape);
        foreach (((string name, var a), (_, var b)) in once.NamedWeights().Zip(twice.NamedWeights()))
            Assert.True(a.bytes.SequenceEqual(b.bytes), name);
    }

    [Fact]
    public void Apply_IdentityPlan_CopiesEveryByte()
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaModel copy = ModelSurgery.Apply(model, PruningPlan.Identity(model.Config.Shape));
        foreach (((string name, var a), (_, var b)) in model.NamedWeights().Zip(copy.NamedWeights()))
            Assert.True(a.bytes.SequenceEqual(b.bytes), name);
    }

    [Fact]
    public void Forward_RemovedBlock_EqualsZeroedOutputs()
    {
        using LlamaModel model = TinyLlama.Create();
        PruningPlan plan = PruningPlan.RemoveBlocks(model.Config.Shape, [1]);
        using LlamaModel cut = ModelSurgery.Apply(model, plan);
        float[] expected = Logits(cut, 9, new ForwardOptions());
        using (no_grad())
        {
            model.layers[1].self_attn!.o_proj.weight.zero_();
            model.layers[1].mlp!.down_proj.weight.zero_();
        }

        Near.Equal(expected, Logits(model, 9, new ForwardOptions()), 1e-6, 0);
    }

    [Fact]
    public void Forward_GatesOfAnotherShape_AreRefused()
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaGates gates = LlamaGates.Ones(TinyLlama.Config(4).Shape, PruningAxes.Hidden);
        Assert.Throws<ArgumentException>(() => Logits(model, 5, new ForwardOptions { Gates = gates }));
    }

    [Fact]
    public void Apply_PlanOfAnotherModel_IsRefused()
    {
        using LlamaModel model = TinyLlama.Create();
        Assert.Throws<PlanException>(() => ModelSurgery.Apply(model, PruningPlan.Identity(TinyLlama.Config(4).Shape)));
    }

    [Fact]
    public void Backward_OnesGates_GradientIsTheSameOnBothPaths()
    {
        using LlamaModel model = TinyLlama.Create();
        float[][] Gradients(int rows)
        {
            using LlamaGates gates = LlamaGates.Ones(model.Config.Shape, PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers, requiresGrad: true);
            using var scope = NewDisposeScope();
            Tensor ids = tensor(Enumerable.Range(0, 6).Select(i => (long)(i * 7 % 50)).ToArray(), 1, 6).repeat(rows, 1);
            Tensor loss = nn.functional.cross_entropy(
                model.forward(ids, new ForwardOptions { Gates = gates }).narrow(1, 0, 5).reshape(-1, 50), ids.narrow(1, 1, 5).reshape(-1));
            loss.backward();
            return [.. gates.Tensors().Select(g => g.grad!.data<float>().ToArray())];
        }

        float[][] activations = Gradients(1), weights = Gradients(20);   // the same rows twenty times: the same mean loss
        for (int i = 0; i < activations.Length; i++)
            Near.Equal(activations[i], weights[i], 1e-6, 1e-4, $"gate {i}");
    }

    internal static PruningPlan RandomPlan(LlamaShape shape, int seed)
    {
        var random = new Random(seed);
        IndexSet Some(int n, int atLeast) =>
            IndexSet.Of(Enumerable.Range(0, n).OrderBy(_ => random.Next()).Take(random.Next(Math.Min(atLeast, n), n + 1)));
        var layers = new List<LayerPlan>();
        for (int i = 0; i < shape.Layers.Length; i++)
        {
            if (random.Next(5) == 0 && (layers.Count > 0 || i + 1 < shape.Layers.Length))
                continue;
            bool attention = random.Next(6) > 0, mlp = random.Next(6) > 0;
            layers.Add(new LayerPlan(
                i,
                attention ? Some(shape.Layers[i].QueryHeads, 1) : IndexSet.Empty,
                mlp ? Some(shape.Layers[i].IntermediateSize, 1) : IndexSet.Empty));
        }

        return new PruningPlan { Source = shape, Hidden = Some(shape.HiddenSize, 4), Layers = [.. layers] };
    }

    private static float[] Logits(LlamaModel model, int length, ForwardOptions options)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        int rows = options.AttentionMask is null ? 1 : 3;
        Tensor ids = tensor(Enumerable.Range(0, 3 * length).Select(i => (long)(i * 31 % 50)).ToArray(), 3, length).narrow(0, 0, rows);
        return model.forward(ids, options).contiguous().data<float>().ToArray();
    }
}
