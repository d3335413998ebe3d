// The straightforward way to the same numbers: one graph over the whole model, ordinary cross entropy, ordinary backward.
using LlmShearing.Model;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Scoring;

internal static class PlainGradients
{
    /// <summary>Gradients of the sum of the batches' mean losses.</summary>
    public static double[][] Of(LlamaModel model, IReadOnlyList<TokenBatch> batches, IReadOnlyList<Tensor> leaves, LlamaGates? gates = null)
    {
        using var scope = NewDisposeScope();
        bool[] before = [.. leaves.Select(l => l.requires_grad)];
        foreach (Tensor leaf in leaves)
            leaf.requires_grad = true;
        Tensor total = zeros(1);
        foreach (TokenBatch batch in batches)
            total = total + MeanLoss(model, batch, gates);
        IList<Tensor> gradients = autograd.grad([total.sum()], [.. leaves]);
        for (int i = 0; i < before.Length; i++)
            leaves[i].requires_grad = before[i];
        return [.. gradients.Select(g => g.reshape(-1).to(ScalarType.Float64).data<double>().ToArray())];
    }

    /// <summary>Mean negative log-likelihood over tokens that are real and follow a real one.</summary>
    public static Tensor MeanLoss(LlamaModel model, TokenBatch batch, LlamaGates? gates = null)
    {
        var options = new ForwardOptions { AttentionMask = batch.HasPadding ? batch.AttentionMask.ToArray() : null, Gates = gates };
        Tensor logits = model.forward(TinyLlama.Ids(batch), options);
        var positions = new List<long>();
        var targets = new List<long>();
        for (int r = 0; r < batch.BatchSize; r++)
            for (int t = 0; t + 1 < batch.SequenceLength; t++)
                if (batch.IsReal(r, t) && batch.IsReal(r, t + 1))
                {
                    positions.Add((r * batch.SequenceLength) + t);
                    targets.Add(batch.Ids[(r * batch.SequenceLength) + t + 1]);
                }

        Tensor rows = logits.reshape(-1, logits.shape[^1]).index_select(0, tensor(positions.ToArray()));
        return nn.functional.cross_entropy(rows, tensor(targets.ToArray()));
    }
}
