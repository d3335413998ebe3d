// Keys and values of the tokens seen so far, for generation.
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>A growing key/value cache, one pair of buffers per block. Owned by the caller.</summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class KeyValueCache : IDisposable
{
    private readonly (Tensor Keys, Tensor Values)?[] _buffers;
    private readonly List<bool[]> _mask = [];   // by column: which rows hold a real token

    /// <summary>Creates an empty cache.</summary>
    /// <param name="layers">Number of blocks.</param>
    public KeyValueCache(int layers) => _buffers = new (Tensor, Tensor)?[layers];

    /// <summary>Tokens held, padding included.</summary>
    public int Length { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = 0; i < _buffers.Length; i++)
        {
            if (_buffers[i] is { } pair)
            {
                pair.Keys.Dispose();
                pair.Values.Dispose();
            }

            _buffers[i] = null;
        }
    }

    /// <summary>Whether column <paramref name="position"/> of row <paramref name="row"/> is a real token.</summary>
    internal bool IsReal(int row, int position) => _mask[position][row];

    internal void AppendMask(bool[] column) => _mask.Add(column);

    internal void Advance(int tokens) => Length += tokens;

    /// <summary>Adds keys and values [B, Nkv, T, hd] of one block and returns all so far [B, Nkv, Length + T, hd].</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        long needed = Length + keys.shape[2];
        if (_buffers[layer] is not { } pair || pair.Keys.shape[2] < needed)
            pair = Grow(layer, keys, Math.Max(needed, 64));
        pair.Keys.narrow(2, Length, keys.shape[2]).copy_(keys);
        pair.Values.narrow(2, Length, values.shape[2]).copy_(values);
        return (pair.Keys.narrow(2, 0, needed), pair.Values.narrow(2, 0, needed));
    }

    // Doubling keeps the copies linear in the number of tokens.
    private (Tensor Keys, Tensor Values) Grow(int layer, Tensor like, long needed)
    {
        long[] shape = like.shape;
        long capacity = needed;
        if (_buffers[layer] is { } old)
            capacity = Math.Max(needed, 2 * old.Keys.shape[2]);
        shape[2] = capacity;
        Tensor keys = zeros(shape, dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        Tensor values = zeros(shape, dtype: like.dtype, device: like.device).DetachFromDisposeScope();
        if (_buffers[layer] is { } previous)
        {
            keys.narrow(2, 0, Length).copy_(previous.Keys.narrow(2, 0, Length));
            values.narrow(2, 0, Length).copy_(previous.Values.narrow(2, 0, Length));
            previous.Keys.Dispose();
            previous.Values.Dispose();
        }

        _buffers[layer] = (keys, values);
        return (keys, values);
    }
}
