// Random masks for small models of every kind.
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Folding;

internal static class TinyMasks
{
    public const PruningAxes All = PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers;

    /// <summary>Values in (0, 1], of which about a quarter are zero (an eighth of sub-blocks and blocks); at least one channel and one block stay.</summary>
    public static MaskValues Random(LlamaShape shape, PruningAxes axes, int seed, bool soft = true, bool zeros = true)
    {
        var random = new Random(seed);
        Dictionary<PruningAxes, float[]> values = [];
        foreach (PruningAxes axis in Enum.GetValues<PruningAxes>().Where(a => a is not (PruningAxes.None or PruningAxes.Width) && axes.HasFlag(a)))
        {
            double rate = !zeros ? 0 : axis >= PruningAxes.Attention ? 0.125 : 0.25;
            float[] entries = [.. Enumerable.Range(0, Count(shape, axis)).Select(_ => random.NextDouble() < rate ? 0 : soft ? 0.05f + (0.95f * random.NextSingle()) : 1)];
            if (axis is PruningAxes.Hidden or >= PruningAxes.Attention)
                entries[^1] = soft ? 0.7f : 1;
            values.Add(axis, entries);
        }

        return new MaskValues(shape, values);
    }

    /// <summary>The same masks with some entries replaced.</summary>
    public static MaskValues With(this MaskValues masks, PruningAxes axis, Func<int, float, float> change) => new(
        masks.Source,
        masks.Axes.Append(axis).Distinct().ToDictionary(a => a, a =>
        {
            float[] entries = masks[a]?.ToArray() ?? [.. Enumerable.Repeat(1f, Count(masks.Source, a))];
            return a == axis ? [.. entries.Select((z, i) => change(i, z))] : entries;
        }));

    public static int Count(LlamaShape shape, PruningAxes axis) => axis switch
    {
        PruningAxes.Hidden => shape.HiddenSize,
        PruningAxes.QueryHeads => shape.Layers.Sum(l => l.QueryHeads),
        PruningAxes.KeyValueGroups => shape.Layers.Sum(l => l.KeyValueHeads),
        PruningAxes.Intermediate => shape.Layers.Sum(l => l.IntermediateSize),
        _ => shape.Layers.Length,
    };

    /// <summary>Multi-head, grouped and multi-query models, tied or not, with biases nowhere, at q, k and v (Qwen2), everywhere, or at o and the feed-forward only.</summary>
    public static LlamaConfig Config(int queryHeads, int keyValueHeads, bool tied, string biases, int layers = 4)
    {
        LlamaConfig plain = TinyLlama.Config(layers, 16, queryHeads, keyValueHeads, 4, 24, 50, tied);
        return plain with
        {
            ModelType = biases == "qkv" ? "qwen2" : "llama",
            Shape = plain.Shape with
            {
                QueryKeyValueBias = biases is "qkv" or "all",
                OutputBias = biases is "o and mlp" or "all",
                MlpBias = biases is "o and mlp" or "all",
            },
        };
    }

    /// <summary>Half the hidden size and intermediate channels, one block less, and other heads.</summary>
    public static LlamaShape Target(LlamaShape shape, int queryHeads, int keyValueHeads) => shape with
    {
        HiddenSize = shape.HiddenSize / 2,
        Layers = [.. Enumerable.Repeat(new LayerShape(queryHeads, keyValueHeads, shape.Layers[0].IntermediateSize / 2), shape.Layers.Length - 1)],
    };

    /// <summary>Masks for a target with random logits, some of them at the bounds.</summary>
    public static MaskState State(LlamaShape source, LlamaShape target, int seed)
    {
        var state = new MaskState(new SparsityConstraint(MaskLayout.ForTarget(source, target), new SparsityRamp(0)));
        var random = new Random(seed);
        foreach (MaskFamily family in state.Layout.Families)
            state.SetLogits(family.Axis, [.. Enumerable.Range(0, family.Count).Select(_ => (random.NextSingle() - 0.5f) * 12)]);
        return state;
    }

    /// <summary>As <see cref="AssertSame"/>, for models in float64.</summary>
    public static void AssertSameInFloat64(LlamaModel masked, MaskValues masks, LlamaModel cut, double tolerance)
    {
        using LlamaGates gates = masks.ToGates();
        foreach (int length in new[] { 7, 40 })
        {
            (double[] expected, double[] losses) = Run(masked, length, gates, ScalarType.Float64, t => t.data<double>().ToArray());
            (double[] actual, double[] cutLosses) = Run(cut, length, null, ScalarType.Float64, t => t.data<double>().ToArray());
            Assert.All(expected.Concat(losses).Zip(actual.Concat(cutLosses)), p => Assert.True(Math.Abs(p.First - p.Second) <= tolerance, $"{p.Second:r}, expected {p.First:r}"));
        }
    }

    /// <summary>Few tokens gate the activations, many the weights: both ways must agree with the cut model.</summary>
    public static void AssertSame(LlamaModel masked, MaskValues masks, LlamaModel cut, bool gateEmbedding = true, double tolerance = 1e-5)
    {
        using LlamaGates gates = masks.ToGates(gateEmbedding: gateEmbedding);
        foreach (int length in new[] { 7, 40 })
        {
            (float[] expected, float[] losses) = Run(masked, length, gates);
            (float[] actual, float[] cutLosses) = Run(cut, length, null);
            Near.Equal(expected, actual, tolerance, what: $"logits, length {length}");
            Near.Equal(losses, cutLosses, tolerance, what: $"losses, length {length}");
        }
    }

    /// <summary>Logits [1, T, V] and token losses [T - 1].</summary>
    public static (float[] Logits, float[] Losses) Run(LlamaModel model, int length, LlamaGates? gates) => Run(model, length, gates, ScalarType.Float32, MaskedModelCase.Numbers);

    private static (T[] Logits, T[] Losses) Run<T>(LlamaModel model, int length, LlamaGates? gates, ScalarType dtype, Func<Tensor, T[]> numbers)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        long[] ids = [.. Enumerable.Range(0, length).Select(i => (long)((i * 31) + 7) % 50)];
        Tensor logits = model.forward(tensor(ids, 1, length), new ForwardOptions { Gates = gates }).to(dtype);
        Tensor losses = nn.functional.cross_entropy(logits.narrow(1, 0, length - 1).reshape(length - 1, -1), tensor(ids[1..]), reduction: nn.Reduction.None);
        return (numbers(logits), numbers(losses));
    }
}
