// Small random models of every kind that the library meets: grouped, multi-query, tied, biased, uneven.
using System.Collections.Immutable;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Testing;

/// <summary>Makes small random LLaMAs. Weights are large enough that every unit matters to the logits.</summary>
public static class TinyLlama
{
    /// <summary>A configuration; the defaults have two key/value heads for four query heads.</summary>
    public static LlamaConfig Config(
        int layers = 3, int hidden = 16, int queryHeads = 4, int keyValueHeads = 2, int headDim = 4, int intermediate = 24, int vocabulary = 50,
        bool tied = false, bool biases = false) =>
        Config([.. Enumerable.Repeat(new LayerShape(queryHeads, keyValueHeads, intermediate), layers)], hidden, headDim, vocabulary, tied, biases);

    /// <summary>A configuration with a shape for each layer.</summary>
    public static LlamaConfig Config(ImmutableArray<LayerShape> layers, int hidden = 16, int headDim = 4, int vocabulary = 50, bool tied = false, bool biases = false) =>
        new()
        {
            Shape = new LlamaShape
            {
                VocabSize = vocabulary,
                HiddenSize = hidden,
                HeadDim = headDim,
                Layers = layers,
                TiedEmbeddings = tied,
                QueryKeyValueBias = biases,
                OutputBias = biases,
                MlpBias = biases,
            },
            RmsNormEps = 1e-5,
            MaxPositionEmbeddings = 256,
            BosTokenId = 1,
        };

    /// <summary>A model of the default configuration.</summary>
    public static LlamaModel Create(int seed = 0) => Create(Config(), seed);

    /// <summary>A model; norm weights are spread around 1, and biases around 0.</summary>
    public static LlamaModel Create(LlamaConfig config, int seed = 0, ScalarType dtype = ScalarType.Float32)
    {
        LlamaModel model = LlamaModel.Random(config, seed, 1 / Math.Sqrt(config.Shape.HiddenSize), dtype);
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        using var generator = new Generator((ulong)(uint)seed + 1, CPU);
        foreach ((string name, var weight) in model.NamedWeights())
            if (weight.dim() == 1)
                weight.copy_(empty(weight.shape, dtype: ScalarType.Float32, device: CPU)
                    .normal_(name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1, 0.2, generator));
        return model;
    }

    /// <summary>Random rows of token ids.</summary>
    public static int[][] Rows(int seed, int vocabulary, params int[] lengths)
    {
        var random = new Random(seed);
        return [.. lengths.Select(n => Enumerable.Range(0, n).Select(_ => random.Next(vocabulary)).ToArray())];
    }

    /// <summary>A random batch of token ids without padding.</summary>
    public static TokenBatch Batch(int seed, int rows, int length, int vocabulary = 50) =>
        TokenBatch.FromRows(Rows(seed, vocabulary, [.. Enumerable.Repeat(length, rows)]));

    /// <summary>Token ids as a tensor [rows, length], int64, in the caller's dispose scope.</summary>
    public static Tensor Ids(TokenBatch batch) =>
        tensor(batch.Ids.ToArray().Select(i => (long)i).ToArray(), batch.BatchSize, batch.SequenceLength);
}
