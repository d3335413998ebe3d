// Random weights, for tests and for models that are trained from nothing.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing;

public sealed partial class LlamaModel
{
    /// <summary>Default standard deviation of <see cref="Random"/>, as transformers' initializer_range.</summary>
    public const double DefaultInitializerRange = 0.02;

    /// <summary>A model with matrices from N(0, scale²), norm weights 1 and biases 0. Same seed, same bits, whatever the device and number of threads.</summary>
    /// <param name="config">Configuration.</param>
    /// <param name="seed">Seed of the one generator that all weights are drawn from, in module order.</param>
    /// <param name="scale">Standard deviation; default 0.02.</param>
    /// <param name="dtype">Type of the weights; default float32. Numbers are drawn in float32 and rounded.</param>
    /// <param name="device">Device; default CPU.</param>
    /// <returns>A model owned by the caller.</returns>
    public static LlamaModel Random(LlamaConfig config, int seed, double scale = DefaultInitializerRange, ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(scale);
        var model = new LlamaModel(config, dtype, device);
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        using var generator = new Generator((ulong)(uint)seed, CPU);
        foreach ((string name, Parameter weight) in model.NamedWeights())
        {
            if (weight.dim() == 1)
            {
                weight.fill_(name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1);
                continue;
            }

            using Tensor values = empty(weight.shape, dtype: ScalarType.Float32, device: CPU).normal_(0, scale, generator);
            weight.copy_(values);
        }

        return model;
    }
}
