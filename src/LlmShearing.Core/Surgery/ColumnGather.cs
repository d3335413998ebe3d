// Picks the kept columns out of rows. Long runs are block copies. Scattered columns are packed 16 source bytes at a time: one load, one
// byte shuffle prepared beforehand, one store that the next one overlaps. That is several times faster than picking element by element.
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmShearing.Surgery;

internal sealed class ColumnGather
{
    /// <summary>Bytes that must be readable after the last source row and writable after the last result row.</summary>
    public const int Slack = 16;

    // Mean bytes a run above which a block copy for each run is faster than shuffling.
    private const int BlockCopyBytes = 128;

    private readonly UnitRuns _columns;
    private readonly int _elementSize;
    private readonly bool _wholeRows;
    private readonly Pack[]? _packs;

    public ColumnGather(UnitRuns columns, int elementSize, long sourceColumns)
    {
        (_columns, _elementSize, _wholeRows) = (columns, elementSize, columns.IsAll(sourceColumns));
        bool scattered = columns.Count * elementSize < (long)columns.Runs.Length * BlockCopyBytes;
        if (scattered && !columns.HasZeros && Vector128.IsHardwareAccelerated)
            _packs = MakePacks(columns, elementSize);
    }

    /// <summary>Gathers neighbouring rows. Both spans must have <see cref="Slack"/> bytes after the last row.</summary>
    public void Rows(ReadOnlySpan<byte> source, Span<byte> target, int rows, int sourceBytes, int targetBytes)
    {
        if (_wholeRows)
        {
            source[..(rows * sourceBytes)].CopyTo(target);
            return;
        }

        for (int r = 0; r < rows; r++)
            if (_packs is null)
                CopyRuns(source.Slice(r * sourceBytes, sourceBytes), target.Slice(r * targetBytes, targetBytes));
            else
                Shuffle(source.Slice(r * sourceBytes, sourceBytes + Slack), target.Slice(r * targetBytes, targetBytes + Slack), _packs);
    }

    private void CopyRuns(ReadOnlySpan<byte> source, Span<byte> target)
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

    // The spans were cut to a row and its slack by the caller, and the packs were made for that row length: no checks inside the loop.
    private static void Shuffle(ReadOnlySpan<byte> source, Span<byte> target, Pack[] packs)
    {
        ref byte from = ref MemoryMarshal.GetReference(source);
        ref byte to = ref MemoryMarshal.GetReference(target);
        nuint at = 0;
        foreach (ref readonly Pack pack in packs.AsSpan())
        {
            Vector128<byte> block = Vector128.LoadUnsafe(ref from, (nuint)pack.Source);
            Vector128.ShuffleNative(block, pack.Order).StoreUnsafe(ref to, at);
            at += (nuint)pack.Bytes;
        }
    }

    /// <summary>Splits the row into blocks of 16 bytes; blocks of which nothing is kept are left out.</summary>
    private static Pack[] MakePacks(UnitRuns columns, int elementSize)
    {
        var packs = new List<Pack>();
        var order = new byte[16];
        long current = -1;
        int bytes = 0;
        foreach (UnitRun run in columns.Runs)
            for (long c = run.Source; c < run.Source + run.Length; c++)
            {
                long block = c * elementSize / 16;
                if (block != current && bytes > 0)
                {
                    packs.Add(new Pack(Vector128.Create(order), (int)current * 16, bytes));
                    bytes = 0;
                }

                current = block;
                for (int b = 0; b < elementSize; b++)
                    order[bytes++] = (byte)(((c * elementSize) + b) % 16);
            }

        if (bytes > 0)
            packs.Add(new Pack(Vector128.Create(order), (int)current * 16, bytes));
        return [.. packs];
    }

    /// <param name="Order">For every result byte, which of the 16 source bytes it is; the end is left over from before and is overwritten.</param>
    /// <param name="Source">First byte of the block in the source row.</param>
    /// <param name="Bytes">Bytes kept.</param>
    private readonly record struct Pack(Vector128<byte> Order, int Source, int Bytes);
}
