using Xunit;
using LlmShearing.Model;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Testing.Training;

/// <summary>What a step must compute, by one forward pass and one backward pass of autograd.</summary>
internal static class PlainStep
{
    /// <summary>Mean loss over scored tokens, and the gradients by name; those of the model are cleared.</summary>
    public static (double Loss, Dictionary<string, float[]> Gradients) Run(LlamaModel model, TrainingBatch batch, LlamaGates? gates = null)
    {
        using var scope = NewDisposeScope();
        TokenBatch tokens = batch.Tokens;
        Tensor logits = model.forward(TinyLlama.Ids(tokens), new ForwardOptions
        {
            AttentionMask = tokens.AttentionMask.IsEmpty ? null : tokens.AttentionMask.ToArray(),
            Positions = batch.IsPacked ? batch.Positions.ToArray() : null,
            Packed = batch.IsPacked,
            Gates = gates,
        });                                                                               // [B, T, V]
        (long[] positions, long[] targets) = batch.Scored();
        Tensor loss = logits.to(ScalarType.Float32).reshape(-1, logits.shape[^1]).index_select(0, tensor(positions))
            .log_softmax(-1).gather(1, tensor(targets).unsqueeze(1)).mean().neg();
        loss.backward();
        return (loss.item<float>(), Take(model));
    }

    /// <summary>The gradients of the weights, which are then cleared; weights without one are left out.</summary>
    public static Dictionary<string, float[]> Take(LlamaModel model) =>
        Take(model.NamedWeights().Select(w => (w.Name, (Tensor)w.Weight)));

    /// <summary>The gradients of tensors, which are then cleared.</summary>
    public static Dictionary<string, float[]> Take(IEnumerable<(string Name, Tensor Value)> tensors)
    {
        var result = new Dictionary<string, float[]>();
        foreach ((string name, Tensor value) in tensors)
        {
            using var scope = NewDisposeScope();
            if (value.grad is not { } gradient)
                continue;
            result[name] = [.. gradient.to(ScalarType.Float32).contiguous().data<float>()];
            value.grad = null;
        }

        return result;
    }

    /// <summary>The same names, and values that differ by at most a share of the largest value of their tensor.</summary>
    public static void AssertEqual(Dictionary<string, float[]> expected, Dictionary<string, float[]> actual, double share, string what)
    {
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        foreach ((string name, float[] values) in expected)
            Near.Equal(values, actual[name], 1e-9 + (share * values.Max(Math.Abs)), 0, $"{what}: {name}");
    }
}
