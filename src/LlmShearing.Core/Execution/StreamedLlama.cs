// A checkpoint folder as a model: never more than two blocks, the rows asked for, and two slices of the output projection in memory.
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Kernels;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Execution;

/// <summary>
/// A LLaMA read from its folder while it runs. Blocks come one after the other, the next one being read on another thread meanwhile.
/// On a device that is not the CPU they are moved there one by one. For one thread at a time. Passes may start again at block 0 as often as wanted; blocks out of order work, without reading ahead.
/// </summary>
public sealed class StreamedLlama : ILlamaSource, IDisposable
{
    private readonly LlamaCheckpoint _checkpoint;
    private readonly bool _owned;
    private readonly StreamedBlocks _blocks;
    private readonly StreamedRows _embedding, _head;
    private readonly RmsNorm _norm;
    private volatile bool _disposed;

    /// <summary>Streams an open checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint; stays open, and must outlive this.</param>
    /// <param name="dtype">Type of weights and activations; default float32. Equal to the stored type, bytes are not converted.</param>
    /// <param name="device">Where the work is done; null = CPU.</param>
    /// <exception cref="CheckpointException">The final norm cannot be read.</exception>
    public StreamedLlama(LlamaCheckpoint checkpoint, ScalarType dtype = ScalarType.Float32, Device? device = null)
        : this(checkpoint, dtype, device, owned: false)
    {
    }

    private StreamedLlama(LlamaCheckpoint checkpoint, ScalarType dtype, Device? device, bool owned)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        TorchRuntime.EnsureLoaded();
        _ = CheckpointMemory.StoredAs(dtype);
        (_checkpoint, Dtype, Device, _owned) = (checkpoint, dtype, device ?? CPU, owned);
        LlamaShape shape = checkpoint.Config.Shape;
        _norm = new RmsNorm(shape.HiddenSize, checkpoint.Config.RmsNormEps, dtype, Device);
        using (Tensor read = empty(shape.HiddenSize, dtype: dtype, device: CPU))
        using (no_grad())
        {
            new WeightMemory(read).Read(checkpoint, LlamaTensorNames.FinalNorm, 0, 0, shape.HiddenSize);
            _norm.weight.copy_(read);
        }

        _blocks = new StreamedBlocks(checkpoint, dtype, Device);
        _embedding = new StreamedRows(checkpoint, LlamaTensorNames.Embedding, dtype, Device);
        _head = shape.TiedEmbeddings ? _embedding : new StreamedRows(checkpoint, LlamaTensorNames.Head, dtype, Device);
        Name = Path.GetFileName(checkpoint.Folder);
    }

    /// <inheritdoc/>
    public LlamaConfig Config => _checkpoint.Config;

    /// <inheritdoc/>
    public string Name { get; init; }

    /// <inheritdoc/>
    public ScalarType Dtype { get; }

    /// <inheritdoc/>
    public Device Device { get; }

    /// <summary>False: send many states through a block before asking for the next one.</summary>
    public bool IsResident => false;

    /// <summary>Opens a folder for streaming.</summary>
    /// <param name="folder">A Hugging Face folder.</param>
    /// <param name="dtype">Type of weights and activations; default float32.</param>
    /// <param name="device">Where the work is done; null = CPU.</param>
    /// <returns>The model; disposing it closes the folder's files.</returns>
    /// <exception cref="CheckpointException">The folder is not a complete LLaMA.</exception>
    public static StreamedLlama Open(string folder, ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
        try
        {
            return new StreamedLlama(checkpoint, dtype, device, owned: true);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Tensor Embed(Tensor ids, LlamaPass? pass = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        EnsureAlive();
        using var scope = NewDisposeScope();
        long[] shape = ids.shape;
        Tensor x = _embedding.Gather(ids.reshape(-1)).view(shape[0], shape[1], -1);                  // [B, T, H]
        if (pass?.Hidden is { InputIsMasked: true } gate)
            x = x * gate.Value.to(x.dtype);
        return x.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public BlockLease AcquireBlock(int layer) => _blocks.Acquire(layer);

    /// <inheritdoc/>
    public Tensor FinalNorm(Tensor hidden, LlamaPass? pass = null) => _norm.Gated(hidden, pass?.Hidden);

    /// <inheritdoc/>
    public Tensor Logits(Tensor normed)
    {
        ArgumentNullException.ThrowIfNull(normed);
        using var scope = NewDisposeScope();
        var parts = new List<Tensor>();
        foreach ((_, Tensor weight) in HeadChunks(4096))
            parts.Add(LinearProduct.Forward(normed, weight, null));                                         // [..., rows]
        return cat(parts.ToArray(), -1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public IEnumerable<(long Start, Tensor Weight)> HeadChunks(long rows)
    {
        EnsureAlive();
        return _head.Chunks(rows);
    }

    /// <inheritdoc/>
    public Tensor HeadRows(Tensor ids)
    {
        EnsureAlive();
        return _head.Gather(ids);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _blocks.Dispose();
        _norm.Dispose();
        if (_owned)
            _checkpoint.Dispose();
    }

    private void EnsureAlive()
    {
        if (_disposed)
            throw new ObjectDisposedException(nameof(StreamedLlama), $"The model '{Name}' was disposed. Open it again, or dispose it later.");
    }
}
