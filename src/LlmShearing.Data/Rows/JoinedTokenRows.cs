using System.Text.Json.Nodes;

namespace LlmShearing.Data.Rows;

/// <summary>Several sets of rows one after the other, such as the shard files of a domain.</summary>
public sealed class JoinedTokenRows : ITokenRows
{
    private readonly ITokenRows[] _parts;
    private readonly long[] _starts;

    /// <summary>Joins sets of rows.</summary>
    /// <param name="name">Name of the whole, usually the domain.</param>
    /// <param name="parts">The sets in order; disposed with this.</param>
    public JoinedTokenRows(string name, IEnumerable<ITokenRows> parts)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(parts);
        Name = name;
        _parts = [.. parts];
        _starts = new long[_parts.Length];
        foreach ((int i, ITokenRows part) in _parts.Index())
        {
            _starts[i] = Count;
            Count += part.Count;
        }

        int[] lengths = [.. _parts.Where(p => p.Count > 0).Select(p => p.RowLength).Distinct()];
        RowLength = lengths.Length == 1 ? lengths[0] : 0;
        VocabularySize = _parts.Length > 0 && _parts.All(p => p.VocabularySize is not null) ? _parts.Max(p => p.VocabularySize) : null;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Count { get; }

    /// <inheritdoc/>
    public int RowLength { get; }

    /// <inheritdoc/>
    public int? VocabularySize { get; }

    /// <summary>The text files that the rows were made of, in order; empty when that is not known.</summary>
    public IReadOnlyList<TokenSource> Sources { get; init; } = [];

    /// <summary>Whether a row may hold ids of two source files (<see cref="RowRemainder.Carry"/>).</summary>
    public bool RowsCrossSources { get; init; }

    internal IReadOnlyList<ITokenRows> Parts => _parts;

    /// <inheritdoc/>
    public int Length(long row)
    {
        (ITokenRows part, long inside) = Find(row);
        return part.Length(inside);
    }

    /// <inheritdoc/>
    public void Read(long row, Span<int> destination)
    {
        (ITokenRows part, long inside) = Find(row);
        part.Read(inside, destination);
    }

    /// <inheritdoc/>
    public JsonObject Describe()
    {
        JsonObject[] parts = [.. _parts.Select(p => p.Describe())];
        return new JsonObject
        {
            ["name"] = Name,
            ["format"] = parts.Select(p => (string?)p["format"]).Distinct().Take(2).ToArray() is [{ } one] ? one : "joined",
            ["rows"] = Count,
            ["row_length"] = RowLength,
            ["files"] = new JsonArray([.. parts.SelectMany(p => p["files"] is JsonArray files ? files.ToArray() : [p]).Select(f => f!.DeepClone())]),
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ITokenRows part in _parts)
            part.Dispose();
    }

    private (ITokenRows Part, long Row) Find(long row)
    {
        this.Check(row);
        int at = Array.BinarySearch(_starts, row);
        // Not found: the part before the next start. Found: the last of the parts that start here, since those before it are empty.
        at = at < 0 ? ~at - 1 : at;
        while (at + 1 < _starts.Length && _starts[at + 1] <= row)
            at++;
        return (_parts[at], row - _starts[at]);
    }
}
