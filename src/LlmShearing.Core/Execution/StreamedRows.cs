// Rows of the embedding and of the output projection, read when they are needed.
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Execution;

/// <summary>Reads rows of a stored matrix [V, H] on the CPU and gives them on a device.</summary>
internal sealed class StreamedRows(LlamaCheckpoint checkpoint, string name, ScalarType dtype, Device device)
{
    private readonly long _rows = checkpoint.Config.Shape.VocabSize, _width = checkpoint.Config.Shape.HiddenSize;

    /// <summary>Rows by id; each distinct row is read once, neighbours together.</summary>
    /// <param name="ids">[N], int64, on any device.</param>
    /// <returns>[N, H] in the caller's dispose scope.</returns>
    public Tensor Gather(Tensor ids)
    {
        using var scope = NewDisposeScope();
        long[] wanted = HostValues.Longs(ids);
        long[] distinct = [.. wanted.Distinct().Order()];
        if (distinct.Length > 0 && (distinct[0] < 0 || distinct[^1] >= _rows))
            throw new TokenDataException($"Id {(distinct[0] < 0 ? distinct[0] : distinct[^1])} is outside the model's vocabulary of {_rows}.");
        Tensor table = empty([distinct.Length, _width], dtype: dtype, device: CPU);                  // [distinct, H]
        var memory = new WeightMemory(table);
        for (int start = 0; start < distinct.Length;)
        {
            int end = start + 1;
            while (end < distinct.Length && distinct[end] == distinct[end - 1] + 1)
                end++;
            memory.Read(checkpoint, name, distinct[start] * _width, start * _width, (end - start) * _width);
            start = end;
        }

        long[] places = [.. wanted.Select(id => (long)Array.BinarySearch(distinct, id))];
        return table.index_select(0, tensor(places, device: CPU)).to(device).MoveToOuterDisposeScope();
    }

    /// <summary>Consecutive slices of <paramref name="rows"/> rows; the next one is read while this one is used.</summary>
    /// <returns>First row and slice [rows, H], valid until the next is asked for; not in any dispose scope.</returns>
    public IEnumerable<(long Start, Tensor Weight)> Chunks(long rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        rows = Math.Min(rows, _rows);
        Tensor[] buffers = [Buffer(rows), Buffer(rows)];
        Task read = Begin(buffers[0], 0, rows);
        try
        {
            for (long start = 0; start < _rows; start += rows)
            {
                read.GetAwaiter().GetResult();
                if (start + rows < _rows)
                    read = Begin(buffers[1], start + rows, rows);
                using Tensor slice = buffers[0].narrow(0, 0, Math.Min(rows, _rows - start)).DetachFromDisposeScope();
                if (HostMemory.Serves(device))
                {
                    yield return (start, slice);
                }
                else
                {
                    using Tensor moved = slice.to(device, copy: true).DetachFromDisposeScope();
                    yield return (start, moved);
                }

                (buffers[0], buffers[1]) = (buffers[1], buffers[0]);
            }
        }
        finally
        {
            ((IAsyncResult)read).AsyncWaitHandle.WaitOne();   // it writes into a buffer
            foreach (Tensor buffer in buffers)
                buffer.Dispose();
        }
    }

    private Tensor Buffer(long rows) => empty([rows, _width], dtype: dtype, device: CPU).DetachFromDisposeScope();

    private Task Begin(Tensor buffer, long start, long rows)
    {
        var memory = new WeightMemory(buffer);
        long count = Math.Min(rows, _rows - start) * _width;
        return Task.Run(() => memory.Read(checkpoint, name, start * _width, 0, count));
    }
}
