using System.Numerics;

namespace LlmShearing.Tokenizers.Bpe;

/// <summary>The merges: (left id, right id) to (rank, merged id). Open addressing keeps a lookup to about one cache line.</summary>
internal sealed class PairTable
{
    private const ulong Empty = ulong.MaxValue;

    private Entry[] _entries;
    private int _shift;
    private int _count;

    public PairTable(int expected)
    {
        _entries = [];
        Allocate((int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(expected, 8) * 2));
    }

    public int Count => _count;

    /// <summary>Sets the rank and result of a pair; a pair set before is replaced.</summary>
    public void Set(int left, int right, int rank, int merged)
    {
        if (_count * 2 >= _entries.Length)
            Enlarge();
        ref Entry entry = ref Find(Key(left, right));
        if (entry.Key == Empty)
            _count++;
        entry = new Entry { Key = Key(left, right), Rank = rank, Merged = merged };
    }

    /// <summary>Rank of the pair (the lowest goes first), or <see cref="int.MaxValue"/> when it does not merge.</summary>
    public int Rank(int left, int right, out int merged)
    {
        ref Entry entry = ref Find(Key(left, right));
        if (entry.Key == Empty)
        {
            merged = 0;
            return int.MaxValue;
        }
        merged = entry.Merged;
        return entry.Rank;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private ref Entry Find(ulong key)
    {
        Entry[] entries = _entries;
        int mask = entries.Length - 1;
        int slot = (int)((key * 0x9E3779B97F4A7C15UL) >> _shift);
        while (true)
        {
            ref Entry entry = ref entries[slot & mask];
            if (entry.Key == key || entry.Key == Empty)
                return ref entry;
            slot++;
        }
    }

    private void Enlarge()
    {
        Entry[] old = _entries;
        Allocate(old.Length * 2);
        foreach (Entry entry in old)
            if (entry.Key != Empty)
                Find(entry.Key) = entry;
    }

    private void Allocate(int size)
    {
        _entries = new Entry[size];
        Array.Fill(_entries, new Entry { Key = Empty });
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    private struct Entry
    {
        public ulong Key;
        public int Rank;
        public int Merged;
    }
}
