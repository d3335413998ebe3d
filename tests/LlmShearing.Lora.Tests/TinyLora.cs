// Small models with adapters whose factors are all random, so that every one of them matters.
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

internal static class TinyLora
{
    /// <summary>Models of every kind: grouped, uneven with absent sub-blocks, tied, biased, unequal groups.</summary>
    public static LlamaConfig Config(string kind) => kind switch
    {
        "grouped" => TinyLlama.Config(),
        "uneven" => TinyLlama.Config([new(4, 2, 24), new(2, 1, 0), new(0, 0, 12), new(3, 2, 20) { GroupSizes = [2, 1] }]),
        "tied" => TinyLlama.Config(tied: true),
        _ => TinyLlama.Config(biases: true),
    };

    public static TheoryData<string> Kinds => ["grouped", "uneven", "tied", "biased"];

    /// <summary>Fills A and B of all adapters, and weights trained in full, with random values.</summary>
    public static LoraAttachment Attach(LlamaModel model, LoraOptions? options = null, int seed = 1, double scale = 0.2)
    {
        LoraAttachment attachment = new LoraAdapter(options).Attach(model);
        Scatter(attachment, seed, scale);
        return attachment;
    }

    public static void Scatter(LoraAttachment attachment, int seed, double scale = 0.2)
    {
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (TrainableParameter parameter in attachment.Parameters)
            parameter.Value.copy_(empty(parameter.Value.shape, dtype: ScalarType.Float32).normal_(0, scale, generator));
    }

    public static float[] Logits(LlamaModel model, int seed = 3)
    {
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        return LoraCase.Floats(model.forward(TinyLlama.Ids(TinyLlama.Batch(seed, 2, 9))));
    }

    public static float[] Values(Tensor values)
    {
        using var scope = NewDisposeScope();
        return LoraCase.Floats(values.detach().to(ScalarType.Float32));
    }

    public static Dictionary<string, byte[]> Weights(LlamaModel model) =>
        model.NamedWeights().ToDictionary(w => w.Name, w => w.Weight.bytes.ToArray(), StringComparer.Ordinal);
}
