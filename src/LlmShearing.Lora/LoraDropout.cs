// Dropout on the input of the adapters of one model. Masks derive from the micro-batch and the projection alone: a block that is run twice
// drops the same elements, and so does a resumed run.
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class LoraDropout(double probability)
{
    private readonly uint _threshold = (uint)(probability * (1L << 32));
    private readonly float _kept = (float)(1 / (1 - probability));
    private MicroBatchKey? _key;

    public bool IsSuspended { get; set; }

    /// <summary>Drops from now on, for this micro-batch.</summary>
    public void Begin(MicroBatchKey key) => _key = key;

    public void End() => _key = null;

    /// <summary>The mask to apply now; null outside of training.</summary>
    /// <param name="stream">Which projection.</param>
    public DropoutMask? Mask(ulong stream)
    {
        if (_key is not { } key || IsSuspended || probability == 0)
            return null;
        ulong seed = key.Derive(stream);
        return new DropoutMask((uint)seed, (uint)(seed >> 32), _threshold, _kept);
    }

    /// <summary>x with a share of its elements zero and the others scaled up to keep the mean; x itself outside of training.</summary>
    /// <param name="x">Any shape, float32.</param>
    /// <param name="stream">Which projection.</param>
    public Tensor Apply(Tensor x, ulong stream)
    {
        if (Mask(stream) is not { } mask)
            return x;
        if (is_grad_enabled() && x.requires_grad)
        {
            using var scope = NewDisposeScope();
            return (x * mask.Drop(full(x.shape, mask.Kept, dtype: x.dtype, device: x.device), inPlace: true)).MoveToOuterDisposeScope();
        }

        Tensor kept = mask.Drop(x.detach());
        kept.mul_(mask.Kept);
        return kept;
    }
}
