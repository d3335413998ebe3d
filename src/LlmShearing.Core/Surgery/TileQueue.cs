// A few tiles between the thread that reads and gathers and the one that writes: reading overlaps writing, memory stays bounded.
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace LlmShearing.Surgery;

/// <summary>Hands filled tiles, in order, to an action that runs on one other thread.</summary>
internal sealed class TileQueue : IDisposable
{
    private const int Depth = 6;

    private readonly BlockingCollection<byte[]> _free = [];
    private readonly BlockingCollection<Work> _filled = [];
    private readonly object _gate = new();
    private readonly Thread _thread;
    private volatile Exception? _error;
    private int _waiting;

    public TileQueue(int tileBytes)
    {
        for (int i = 0; i < Depth; i++)
            _free.Add(GC.AllocateUninitializedArray<byte>(tileBytes, pinned: true));
        _thread = new Thread(Run) { IsBackground = true, Name = "Checkpoint writer" };
        _thread.Start();
    }

    /// <summary>A tile to fill; waits while all are on their way. Return it with <see cref="Send"/>.</summary>
    public byte[] Take()
    {
        Rethrow();
        return _free.Take();
    }

    /// <summary>Queues the first <paramref name="length"/> bytes of a tile for <paramref name="write"/>.</summary>
    public void Send(byte[] tile, int length, Action<byte[], int> write)
    {
        lock (_gate)
            _waiting++;
        _filled.Add(new Work(tile, length, write));
    }

    /// <summary>Waits until everything sent is written, and throws what went wrong.</summary>
    public void Drain()
    {
        Settle();
        Rethrow();
    }

    /// <summary>Waits until nothing is under way, without throwing.</summary>
    public void Settle()
    {
        lock (_gate)
            while (_waiting > 0)
                Monitor.Wait(_gate);
    }

    public void Dispose()
    {
        _filled.CompleteAdding();
        _thread.Join();
        _filled.Dispose();
        _free.Dispose();
    }

    private void Rethrow()
    {
        if (_error is Exception error)
            ExceptionDispatchInfo.Throw(error);
    }

    private void Run()
    {
        foreach (Work work in _filled.GetConsumingEnumerable())
        {
            try
            {
                if (_error is null)
                    work.Write(work.Tile, work.Length);
            }
#pragma warning disable CA1031 // whatever it is, the thread that sent the tile throws it
            catch (Exception e)
#pragma warning restore CA1031
            {
                _error = e;
            }

            _free.Add(work.Tile);
            lock (_gate)
                if (--_waiting == 0)
                    Monitor.PulseAll(_gate);
        }
    }

    private readonly record struct Work(byte[] Tile, int Length, Action<byte[], int> Write);
}
