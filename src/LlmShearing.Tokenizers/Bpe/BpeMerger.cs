using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Bpe;

/// <summary>
/// Applies merges to the symbols of one word: always the adjacent pair of lowest rank, the leftmost of equals, until none is left.
/// Short words scan an array; long ones (a whole document is one word in LLaMA-2 style) use a heap, O(n log n).
/// </summary>
internal sealed class BpeMerger(PairTable pairs)
{
    private const int LongestScan = 32;

    private readonly ScratchBuffer<ulong> _heap = new();
    private readonly ScratchBuffer<int> _next = new();
    private readonly ScratchBuffer<int> _previous = new();

    /// <summary>Told of every pair that could merge, as (left id, right id, merged id), in order of discovery; null for nobody.</summary>
    public Action<int, int, int>? Considered { get; init; }

    /// <summary>Ids of scratch memory held, to decide whether it is worth keeping.</summary>
    public int Capacity => _heap.Capacity;

    /// <summary>Merges in place.</summary>
    /// <param name="symbols">Symbol ids in text order; an id that is in no merge stays as it is.</param>
    /// <returns>How many symbols remain at the front of <paramref name="symbols"/>.</returns>
    public int Merge(Span<int> symbols) => symbols.Length switch
    {
        < 2 => symbols.Length,
        <= LongestScan => MergeByScan(symbols),
        _ => MergeByHeap(symbols),
    };

    private int MergeByScan(Span<int> symbols)
    {
        int count = symbols.Length;
        Span<int> ranks = stackalloc int[LongestScan];
        Span<int> results = stackalloc int[LongestScan];
        for (int i = 0; i + 1 < count; i++)
            ranks[i] = Consider(symbols[i], symbols[i + 1], out results[i]);

        while (count > 1)
        {
            int best = 0;
            int rank = ranks[0];
            for (int i = 1; i < count - 1; i++)
            {
                if (ranks[i] < rank)
                {
                    rank = ranks[i];
                    best = i;
                }
            }
            if (rank == int.MaxValue)
                break;

            symbols[best] = results[best];
            for (int i = best + 1; i < count - 1; i++)
            {
                symbols[i] = symbols[i + 1];
                ranks[i] = ranks[i + 1];
                results[i] = results[i + 1];
            }
            count--;
            if (best > 0)
                ranks[best - 1] = Consider(symbols[best - 1], symbols[best], out results[best - 1]);
            if (best + 1 < count)
                ranks[best] = Consider(symbols[best], symbols[best + 1], out results[best]);
        }
        return count;
    }

    private int MergeByHeap(Span<int> symbols)
    {
        int count = symbols.Length;
        _next.Clear();
        _previous.Clear();
        _heap.Clear();
        Span<int> next = _next.Reserve(count);
        Span<int> previous = _previous.Reserve(count);
        for (int i = 0; i < count; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
            if (i + 1 < count)
                AddIfMergeable(symbols, i, i + 1, push: false);
        }
        for (int i = (_heap.Length >> 1) - 1; i >= 0; i--)
            SiftDown(_heap.Span, i);

        while (_heap.Length > 0)
        {
            ulong top = _heap.Span[0];
            Pop();
            int left = (int)(uint)top;
            int right = next[left];
            // An entry is stale when its left symbol is gone (next = -1) or the pair there has another rank by now.
            if ((uint)right >= (uint)count || pairs.Rank(symbols[left], symbols[right], out int merged) != (int)(top >> 32))
                continue;

            symbols[left] = merged;
            int after = next[right];
            next[left] = after;
            next[right] = -1;
            if (previous[left] >= 0)
                AddIfMergeable(symbols, previous[left], left, push: true);
            if (after < count)
            {
                previous[after] = left;
                AddIfMergeable(symbols, left, after, push: true);
            }
        }

        int kept = 0;
        for (int i = 0; i < count; i = next[i])
            symbols[kept++] = symbols[i];
        return kept;
    }

    private int Consider(int left, int right, out int merged)
    {
        int rank = pairs.Rank(left, right, out merged);
        if (Considered is not null && rank != int.MaxValue)
            Considered(left, right, merged);
        return rank;
    }

    private void AddIfMergeable(ReadOnlySpan<int> symbols, int left, int right, bool push)
    {
        int rank = Consider(symbols[left], symbols[right], out _);
        if (rank == int.MaxValue)
            return;
        _heap.Add(((ulong)(uint)rank << 32) | (uint)left);
        if (push)
            SiftUp(_heap.Span);
    }

    private void Pop()
    {
        Span<ulong> heap = _heap.Span;
        heap[0] = heap[^1];
        _heap.Truncate(heap.Length - 1);
        SiftDown(_heap.Span, 0);
    }

    private static void SiftUp(Span<ulong> heap)
    {
        int i = heap.Length - 1;
        ulong item = heap[i];
        while (i > 0 && heap[(i - 1) >> 1] > item)
        {
            heap[i] = heap[(i - 1) >> 1];
            i = (i - 1) >> 1;
        }
        heap[i] = item;
    }

    private static void SiftDown(Span<ulong> heap, int i)
    {
        if (i >= heap.Length)
            return;
        ulong item = heap[i];
        while (true)
        {
            int child = (2 * i) + 1;
            if (child >= heap.Length)
                break;
            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
                child++;
            if (heap[child] >= item)
                break;
            heap[i] = heap[child];
            i = child;
        }
        heap[i] = item;
    }
}
