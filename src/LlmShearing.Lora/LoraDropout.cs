// Dropout on the input of the adapters of one model. Masks derive from the micro-batch and the projection alone: a block that is run twice
// drops the same elements, and so does a resumed run.
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class LoraDropout(double probability)
{
    private const int ElementsAtOnce = 1 << 18;
    private const long LargestSpan = 1 << 28;

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
        using var scope = NewDisposeScope();
        Tensor values = empty(x.shape, dtype: ScalarType.Float32, device: CPU);
        Fill(values.view(-1), mask);
        return (x * values.to(x.device)).MoveToOuterDisposeScope();
    }

    private static unsafe void Fill(Tensor values, DropoutMask mask)
    {
        long count = values.NumberOfElements;
        for (long block = 0; block < count; block += LargestSpan)
        {
            using Tensor part = values.narrow(0, block, Math.Min(LargestSpan, count - block));
            Span<float> all = MemoryMarshal.Cast<byte, float>(part.bytes);
            int length = all.Length, pieces = (length + ElementsAtOnce - 1) / ElementsAtOnce;
            long first = block;
            fixed (float* data = all)
            {
                float* start = data;
                void Piece(int i)
                {
                    int from = i * ElementsAtOnce;
                    mask.Fill(new Span<float>(start + from, Math.Min(ElementsAtOnce, length - from)), first + from);
                }

                if (pieces == 1)
                    Piece(0);
                else
                    Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, Piece);
            }
        }
    }
}
