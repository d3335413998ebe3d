using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Rows;

/// <summary>Some rows of others, without copying them.</summary>
public sealed class SelectedTokenRows : ITokenRows
{
    private readonly ITokenRows _rows;
    private readonly long[] _selection;

    /// <summary>Selects rows.</summary>
    /// <param name="rows">All rows; not disposed with this, since several selections may share them.</param>
    /// <param name="selection">Their numbers, in the order wanted.</param>
    /// <exception cref="TokenDataException">There is no such row.</exception>
    public SelectedTokenRows(ITokenRows rows, IEnumerable<long> selection)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(selection);
        (_rows, _selection) = (rows, [.. selection]);
        if (Array.FindIndex(_selection, r => r < 0 || r >= rows.Count) is >= 0 and int bad)
            throw new TokenDataException($"Selection {bad} is row {_selection[bad]}; '{rows.Name}' has rows 0 to {rows.Count - 1}.");
    }

    /// <inheritdoc/>
    public string Name => _rows.Name;

    /// <inheritdoc/>
    public long Count => _selection.Length;

    /// <inheritdoc/>
    public int RowLength => _rows.RowLength;

    /// <inheritdoc/>
    public int? VocabularySize => _rows.VocabularySize;

    /// <inheritdoc/>
    public int Length(long row)
    {
        this.Check(row);
        return _rows.Length(_selection[row]);
    }

    /// <inheritdoc/>
    public void Read(long row, Span<int> destination)
    {
        this.Check(row);
        _rows.Read(_selection[row], destination);
    }

    /// <summary>What the rows are selected from, how many there are, and a digest of which.</summary>
    /// <returns>A small JSON object.</returns>
    public JsonObject Describe() => new()
    {
        ["name"] = Name,
        ["format"] = "selection",
        ["rows"] = Count,
        ["row_length"] = RowLength,
        ["selection_sha256"] = Convert.ToHexStringLower(SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>(_selection))),
        ["of"] = _rows.Describe(),
    };

    /// <summary>Does nothing: the rows belong to whoever opened them.</summary>
    public void Dispose()
    {
    }
}
