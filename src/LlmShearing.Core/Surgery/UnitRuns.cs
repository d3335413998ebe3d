// Which rows or columns of a source tensor make up those of the result, as runs of neighbours: the longer the runs, the fewer copies.
using System.Runtime.InteropServices;

namespace LlmShearing.Surgery;

/// <summary>A run of neighbouring source units, or of zeros.</summary>
/// <param name="Source">First source unit; -1 for zeros.</param>
/// <param name="Length">Number of units.</param>
internal readonly record struct UnitRun(long Source, long Length);

/// <summary>The units (rows or columns) of one dimension of the result, in order.</summary>
internal sealed class UnitRuns
{
    private readonly List<UnitRun> _runs = [];

    public ReadOnlySpan<UnitRun> Runs => CollectionsMarshal.AsSpan(_runs);

    /// <summary>Units in the result.</summary>
    public long Count { get; private set; }

    public bool HasZeros { get; private set; }

    /// <summary>Whether the result has exactly the source's units 0 .. <paramref name="size"/> - 1.</summary>
    public bool IsAll(long size) => Count == size && (_runs.Count == 0 || (_runs.Count == 1 && _runs[0].Source == 0));

    public static UnitRuns All(long size) => new UnitRuns().Add(0, size);

    /// <param name="units">Source units in order; -1 for zeros.</param>
    /// <param name="width">Rows or columns of one unit: the head dimension for heads, else 1.</param>
    public static UnitRuns Of(IEnumerable<int> units, int width = 1)
    {
        var runs = new UnitRuns();
        foreach (int unit in units)
            runs.Add(unit < 0 ? -1 : (long)unit * width, width);
        return runs;
    }

    private UnitRuns Add(long source, long length)
    {
        if (length == 0)
            return this;
        Count += length;
        HasZeros |= source < 0;
        UnitRun last = _runs.Count > 0 ? _runs[^1] : default;
        bool extends = last.Length > 0 && (source < 0 ? last.Source < 0 : last.Source >= 0 && last.Source + last.Length == source);
        if (extends)
            _runs[^1] = last with { Length = last.Length + length };
        else
            _runs.Add(new UnitRun(source, length));
        return this;
    }
}
