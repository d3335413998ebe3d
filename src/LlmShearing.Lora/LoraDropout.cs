// Dropout on the input of the adapters of one model. Masks derive from the micro-batch and the projection alone: a block that is run twice
// drops the same elements, and so does a resumed run. Each element's draw is a hash of its index, which vectorises: about ten times as fast as a
// sequential generator, and the same on every device.
using System.Numerics;
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

    /// <summary>x with a share of its elements zero and the others scaled up to keep the mean; x itself outside of training.</summary>
    /// <param name="x">Any shape, float32.</param>
    /// <param name="stream">Which projection.</param>
    public Tensor Apply(Tensor x, ulong stream)
    {
        if (_key is not { } key || IsSuspended || probability == 0)
            return x;
        using var scope = NewDisposeScope();
        Tensor mask = empty(x.shape, dtype: ScalarType.Float32), flat = mask.view(-1);
        ulong seed = key.Derive(stream);
        Fill(flat, (uint)seed, (uint)(seed >> 32));
        return (x * mask.to(x.device)).MoveToOuterDisposeScope();
    }

    // Each element's draw depends on its index alone, so pieces may be filled side by side.
    private unsafe void Fill(Tensor mask, uint seed, uint salt)
    {
        long count = mask.NumberOfElements;
        for (long block = 0; block < count; block += LargestSpan)
        {
            using Tensor part = mask.narrow(0, block, Math.Min(LargestSpan, count - block));
            Span<float> all = MemoryMarshal.Cast<byte, float>(part.bytes);
            int length = all.Length, pieces = (length + ElementsAtOnce - 1) / ElementsAtOnce;
            long first = block;
            fixed (float* data = all)
            {
                float* start = data;
                void Piece(int i)
                {
                    int from = i * ElementsAtOnce, size = Math.Min(ElementsAtOnce, length - from);
                    Fill(new Span<float>(start + from, size), (uint)(first + from), seed, salt + (uint)((first + from) >> 32));
                }

                if (pieces == 1)
                    Piece(0);
                else
                    Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, Piece);
            }
        }
    }

    private void Fill(Span<float> mask, uint first, uint seed, uint salt)
    {
        int i = 0;
        var threshold = new Vector<uint>(_threshold);
        var kept = new Vector<uint>(BitConverter.SingleToUInt32Bits(_kept));
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(mask);
        for (Vector<uint> index = Vector<uint>.Indices + new Vector<uint>(first); i <= bits.Length - Vector<uint>.Count; i += Vector<uint>.Count, index += new Vector<uint>((uint)Vector<uint>.Count))
            (Vector.GreaterThanOrEqual(Hash(index, seed, salt), threshold) & kept).CopyTo(bits[i..]);
        for (; i < bits.Length; i++)
            bits[i] = Hash(new Vector<uint>(first + (uint)i), seed, salt)[0] >= _threshold ? kept[0] : 0;
    }

    // An integer mixer with low bias (two multiplications between xor-shifts; constants by C. Wellons' search, "hash-prospector"), the second half of the seed in the middle.
    private static Vector<uint> Hash(Vector<uint> x, uint seed, uint salt)
    {
        x ^= new Vector<uint>(seed);
        x ^= Vector.ShiftRightLogical(x, 16);
        x *= 0x7FEB352Du;
        x ^= Vector.ShiftRightLogical(x, 15);
        x += new Vector<uint>(salt);
        x *= 0x846CA68Bu;
        x ^= Vector.ShiftRightLogical(x, 16);
        x *= 0x7FEB352Du;
        return x ^ Vector.ShiftRightLogical(x, 15);
    }
}
