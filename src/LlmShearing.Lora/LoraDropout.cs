// Dropout on the input of the adapters of one model. Masks derive from the micro-batch and the projection alone: a block that is run twice
// drops the same elements, and so does a resumed run.
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class LoraDropout(double probability)
{
    private MicroBatchKey? _key;

    public bool IsSuspended { get; set; }

    /// <summary>Drops from now on, for this micro-batch.</summary>
    public void Begin(MicroBatchKey key) => _key = key;

    public void End() => _key = null;

    /// <summary>x with a share of its elements zero and the others scaled up to keep the mean; x itself outside of training.</summary>
    /// <param name="x">Any shape, float32.</param>
    /// <param name="stream">Which projection.</param>
    public Tensor Apply(Tensor x, ulong stream)
    {
        if (_key is not { } key || IsSuspended || probability == 0)
            return x;
        using var generator = new Generator(key.Derive(stream), x.device);
        Tensor mask;
        using (no_grad())
        {
            mask = empty(x.shape, dtype: ScalarType.Float32, device: x.device);
            mask.bernoulli_(1 - probability, generator);
            mask.mul_(1 / (1 - probability));
        }

        return x * mask;
    }
}
