// The masked forward pass and its gradients, as the original computes them.
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Folding;

public class MaskedForwardGoldenTests
{
    public static TheoryData<string, string> Patterns() => MaskedModelCase.Patterns();

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Forward_MaskedEmbedding_MatchesTheOriginal(string model, string pattern) => Compare(model, pattern, gateEmbedding: true, "");

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Forward_PlainEmbedding_MatchesTheOriginalInTraining(string model, string pattern) => Compare(model, pattern, gateEmbedding: false, "_embedding_not_masked");

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
            golden.AssertWeightGradients($"grad_w{suffix}.");
    }
}
