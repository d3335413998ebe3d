namespace LlmShearing.Data.Mds;

/// <summary>The shards that are open: mapped ones all, decompressed ones as many as fit into memory, those used last.</summary>
internal sealed class MdsShardCache(string folder, IReadOnlyList<MdsShardInfo> shards, long memoryBytes) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Lazy<MdsShardData>?[] _open = new Lazy<MdsShardData>?[shards.Count];
    private readonly LinkedList<int> _decompressed = [];
    private bool _disposed;

    public MdsShardData Get(int shard)
    {
        Lazy<MdsShardData> entry;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            // Opened outside the lock, once, so that threads wait only for the shard that they need.
            entry = _open[shard] ??= new Lazy<MdsShardData>(() => MdsShardData.Open(folder, shards[shard]));
        }

        MdsShardData data = entry.Value;
        if (shards[shard].Compression is not null)
            Touch(shard);
        return data;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (Lazy<MdsShardData>? entry in _open)
                if (entry is { IsValueCreated: true })
                    entry.Value.Dispose();
        }
    }

    private void Touch(int shard)
    {
        lock (_gate)
        {
            if (_decompressed.First?.Value == shard)
                return;
            _decompressed.Remove(shard);
            _decompressed.AddFirst(shard);
            // What is dropped lives on while another thread still reads it.
            long used = 0;
            for (LinkedListNode<int>? node = _decompressed.First; node is not null;)
            {
                LinkedListNode<int>? next = node.Next;
                used += shards[node.Value].Raw.Bytes;
                if (used > memoryBytes && node != _decompressed.First)
                {
                    _open[node.Value] = null;
                    _decompressed.Remove(node);
                }

                node = next;
            }
        }
    }
}
