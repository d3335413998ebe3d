// Picks the kept columns out of one row. Long runs are block copies; scattered single columns are picked through an index table.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlmShearing;

internal sealed class ColumnGather
{
    // Mean bytes a run above which a block copy for each run is faster than picking elements.
    private const int BlockCopyBytes = 64;

    private readonly UnitRuns _columns;
    private readonly int _elementSize;
    private readonly int[]? _table;

    public ColumnGather(UnitRuns columns, int elementSize)
    {
        (_columns, _elementSize) = (columns, elementSize);
        if (columns.HasZeros || elementSize > 4 || columns.Count > int.MaxValue || columns.Count * elementSize >= (long)columns.Runs.Length * BlockCopyBytes)
            return;
        _table = new int[columns.Count];
        int i = 0;
        foreach (UnitRun run in columns.Runs)
            for (int c = 0; c < run.Length; c++)
                _table[i++] = (int)run.Source + c;
    }

    /// <param name="source">A source row.</param>
    /// <param name="target">A result row.</param>
    public void Row(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (_table is null)
            Blocks(source, target);
        else if (_elementSize == 2)
            Pick(MemoryMarshal.Cast<byte, ushort>(source), MemoryMarshal.Cast<byte, ushort>(target), _table);
        else
            Pick(MemoryMarshal.Cast<byte, uint>(source), MemoryMarshal.Cast<byte, uint>(target), _table);
    }

    private void Blocks(ReadOnlySpan<byte> source, Span<byte> target)
    {
        foreach (UnitRun run in _columns.Runs)
        {
            int bytes = (int)run.Length * _elementSize;
            if (run.Source < 0)
                target[..bytes].Clear();
            else
                source.Slice((int)run.Source * _elementSize, bytes).CopyTo(target);
            target = target[bytes..];
        }
    }

    // The table was made for this row length, and the largest index is checked once, so the loop needs no bounds checks.
    private static void Pick<T>(ReadOnlySpan<T> source, Span<T> target, int[] table)
        where T : unmanaged
    {
        if (table.Length == 0)
            return;
        _ = source[table[^1]];
        target = target[..table.Length];
        ref T from = ref MemoryMarshal.GetReference(source);
        ref T to = ref MemoryMarshal.GetReference(target);
        for (int i = 0; i < table.Length; i++)
            Unsafe.Add(ref to, i) = Unsafe.Add(ref from, table[i]);
    }
}
