// Blocks read from disk one ahead of their use, in buffers that are used again: two of them when blocks are asked for in order.
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Execution;

/// <summary>
/// Lends blocks of a checkpoint. For one thread at a time; only the reading of bytes happens on another. For a device that is not the CPU, bytes are read into blocks on the CPU and
/// copied into blocks there when they are asked for.
/// </summary>
internal sealed class StreamedBlocks(LlamaCheckpoint checkpoint, ScalarType dtype, Device device) : IDisposable
{
    private readonly List<LlamaBlock> _free = [], _elsewhere = [];   // on the CPU; on the device, when that is another
    private (int Layer, LlamaBlock Block, Task Read)? _ahead;
    private int _last = -1;
    private bool _disposed;

    /// <summary>Lends a block, and begins to read the one after it; when blocks are asked for downwards, as a backward pass does, the one before it.</summary>
    public BlockLease Acquire(int layer)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(layer, checkpoint.Config.Shape.Layers.Length);
        if (_ahead?.Layer != layer)
        {
            Drop();
            _ahead = Begin(layer);
        }

        (_, LlamaBlock block, Task read) = _ahead!.Value;
        _ahead = null;
        try
        {
            read.GetAwaiter().GetResult();
        }
        catch
        {
            _free.Add(block);
            throw;
        }

        int next = layer == _last - 1 ? layer - 1 : layer + 1;
        _last = layer;
        if (next >= 0 && next < checkpoint.Config.Shape.Layers.Length)
            _ahead = Begin(next);
        return HostMemory.Serves(device) ? new BlockLease(block, () => Release(block, _free)) : Move(block);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Drop();
        Empty(_free);
        Empty(_elsewhere);
    }

    private void Release(LlamaBlock block, List<LlamaBlock> pool)
    {
        if (_disposed)
            block.Dispose();
        else
            pool.Add(block);
    }

    // To the device; the CPU's block is free again at once.
    private BlockLease Move(LlamaBlock read)
    {
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        LlamaBlock block = Take(read.Layer, _elsewhere, device);
        foreach (((_, var target), (_, var source)) in block.named_parameters().Zip(read.named_parameters()))
            target.copy_(source);
        _free.Add(read);
        return new BlockLease(block, () => Release(block, _elsewhere));
    }

    // The memory of the block is looked up here; the other thread only fills it.
    private (int Layer, LlamaBlock Block, Task Read) Begin(int layer)
    {
        LlamaBlock block = Take(layer, _free, CPU);
        string prefix = $"model.layers.{layer}.";
        (string Name, WeightMemory Memory)[] targets = [.. block.named_parameters().Select(p => (prefix + p.name, new WeightMemory(p.parameter)))];
        return (layer, block, Task.Run(() =>
        {
            foreach ((string name, WeightMemory memory) in targets)
                memory.Read(checkpoint, name, 0, 0, memory.ElementCount);
        }));
    }

    private LlamaBlock Take(int layer, List<LlamaBlock> pool, Device place)
    {
        LlamaConfig config = checkpoint.Config;
        int fitting = pool.FindIndex(b => config.Shape.Layers[b.Layer].Equals(config.Shape.Layers[layer]));
        if (fitting >= 0)
        {
            LlamaBlock block = pool[fitting];
            pool.RemoveAt(fitting);
            block.MoveTo(config, layer);
            return block;
        }

        // Blocks of a pruned model may differ in size: what does not fit is given back first.
        Empty(pool);
        return new LlamaBlock(config, layer, dtype, place);
    }

    private static void Empty(List<LlamaBlock> pool)
    {
        pool.ForEach(b => b.Dispose());
        pool.Clear();
    }

    // A block that was read ahead for nothing. An error in reading it was not asked for, so it is not reported.
    private void Drop()
    {
        if (_ahead is not { } ahead)
            return;
        _ahead = null;
        ((IAsyncResult)ahead.Read).AsyncWaitHandle.WaitOne();
        _ = ahead.Read.Exception;
        _free.Add(ahead.Block);
    }
}
