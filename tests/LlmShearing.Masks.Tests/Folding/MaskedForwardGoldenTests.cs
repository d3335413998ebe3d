// The masked forward pass and its gradients, as the original computes them.
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Folding;

public class MaskedForwardGoldenTests
{
    public static TheoryData<string, string> Patterns() => MaskedModelCase.Patterns();

    public static TheoryData<string, string> Attached() => MaskedModelCase.Folders(name => name.StartsWith("l0-", StringComparison.Ordinal));

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Forward_MaskedEmbedding_MatchesTheOriginal(string model, string pattern) => Compare(model, pattern, gateEmbedding: true, "");

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Forward_PlainEmbedding_MatchesTheOriginalInTraining(string model, string pattern) => Compare(model, pattern, gateEmbedding: false, "_embedding_not_masked");

    [Theory]
    [MemberData(nameof(Attached))]
    public void Forward_SampledMasks_MatchTheOriginalWithItsMaskModule(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        MaskValues train = golden.Values("z_train");
        (string Family, PruningAxes Axis)[] families =
        [
            ("hidden", PruningAxes.Hidden), ("head", PruningAxes.QueryHeads), ("intermediate", PruningAxes.Intermediate),
            .. golden.Tensors.Has("loga.layer") ? [("layer", PruningAxes.Attention)] : new[] { ("head_layer", PruningAxes.Attention), ("mlp", PruningAxes.Mlp) },
        ];
        foreach ((string family, PruningAxes axis) in families)
        {
            float[] sampled = [.. golden.Tensors.Floats($"loga.{family}").Zip(golden.Tensors.Floats($"u.{family}"), (a, u) => (float)HardConcrete.Sample(HardConcrete.Clamp(a), u).Value)];
            Near.Equal(train[axis]!.Value.Span, sampled, 1e-6, what: family);
        }

        foreach ((_, var weight) in golden.Model.NamedWeights())
            weight.requires_grad = true;
        using LlamaGates gates = train.ToGates(requiresGrad: true, gateEmbedding: false);
        using var scope = NewDisposeScope();
        Tensor logits = golden.Model.forward(golden.Input(), new ForwardOptions { Gates = gates });
        Near.Equal(golden.Tensors.Floats("logits_train"), MaskedModelCase.Numbers(logits), 2e-5, what: "logits_train");
        Tensor loss = golden.Loss(logits);
        Near.Equal((double)golden.Json["ce_loss"]!, loss.item<float>(), 5e-6, what: "ce");
        loss.backward();
        Weights(golden, "grad.");

        using LlamaGates settled = golden.Values("z_eval").ToGates(gateEmbedding: false);
        float[] evaluated = golden.Logits(golden.Model, settled);
        Near.Equal(golden.Tensors.Floats("logits_eval"), evaluated, 2e-5, what: "logits_eval");
        Near.Equal((double)golden.Json["eval_ce_loss"]!, golden.Loss(tensor(evaluated).reshape(logits.shape)).item<float>(), 5e-6, what: "eval ce");
    }

    private static void Compare(string model, string pattern, bool gateEmbedding, string suffix)
    {
        using var golden = new MaskedModelCase(model, pattern);
        if (!golden.Tensors.Has("logits_masked" + suffix))
        {
            Assert.False(golden.Tensors.Has("z.hidden_z"));   // without hidden masks there is one way only
            return;
        }

        bool weights = golden.Tensors.Names.Any(n => n.StartsWith($"grad_w{suffix}.", StringComparison.Ordinal));
        foreach ((_, var weight) in golden.Model.NamedWeights())
            weight.requires_grad = weights;
        using LlamaGates gates = golden.Values().ToGates(requiresGrad: true, gateEmbedding: gateEmbedding);
        using var scope = NewDisposeScope();
        Tensor logits = golden.Model.forward(golden.Input(), new ForwardOptions { Gates = gates });
        Near.Equal(golden.Tensors.Floats("logits_masked" + suffix), MaskedModelCase.Numbers(logits), 2e-5, what: "logits");
        Tensor loss = golden.Loss(logits);
        Near.Equal((double)golden.Json["ce_loss_masked" + suffix]!, loss.item<float>(), 5e-6, what: "ce");
        loss.backward();
        IReadOnlyDictionary<PruningAxes, ReadOnlyMemory<float>> gradients = gates.Gradients();
        foreach ((string key, PruningAxes axis) in MaskedModelCase.Axes())
            if (golden.Tensors.Has($"grad_z{suffix}.{key}"))
                Near.Equal(golden.Tensors.Floats($"grad_z{suffix}.{key}"), gradients[axis].Span, 1e-5, what: key);
            else
                Assert.False(gradients.ContainsKey(axis), key);
        if (weights)
            Weights(golden, $"grad_w{suffix}.");
    }

    private static void Weights(MaskedModelCase golden, string prefix)
    {
        foreach ((string name, var weight) in golden.Model.NamedWeights())
            Near.Equal(golden.Tensors.Floats(prefix + golden.ComposerName(name)), MaskedModelCase.Numbers(weight.grad!), 2e-6, what: name);
    }
}
