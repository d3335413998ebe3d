using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Rows;

/// <summary>Token rows in memory.</summary>
public sealed class MemoryTokenRows : ITokenRows
{
    private readonly int[][] _rows;

    /// <summary>Wraps arrays.</summary>
    /// <param name="name">Name of the domain.</param>
    /// <param name="rows">Token ids by row; not copied, not to be changed afterwards.</param>
    /// <param name="vocabularySize">Number of ids, when known; then every id is checked against it.</param>
    /// <exception cref="TokenDataException">An id is negative or outside the vocabulary.</exception>
    public MemoryTokenRows(string name, IEnumerable<int[]> rows, int? vocabularySize = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(rows);
        _rows = [.. rows];
        (Name, VocabularySize) = (name, vocabularySize);
        for (int r = 0; r < _rows.Length; r++)
        {
            ArgumentNullException.ThrowIfNull(_rows[r], nameof(rows));
            int bad = Array.FindIndex(_rows[r], id => id < 0 || id >= (vocabularySize ?? int.MaxValue));
            if (bad >= 0)
                throw new TokenDataException($"'{name}', row {r}, token {bad}: id {_rows[r][bad]} is not in 0 to {(vocabularySize ?? int.MaxValue) - 1}.");
        }

        RowLength = _rows.Length > 0 && _rows.All(r => r.Length == _rows[0].Length) ? _rows[0].Length : 0;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Count => _rows.Length;

    /// <inheritdoc/>
    public int RowLength { get; }

    /// <inheritdoc/>
    public int? VocabularySize { get; }

    /// <inheritdoc/>
    public int Length(long row)
    {
        this.Check(row);
        return _rows[row].Length;
    }

    /// <inheritdoc/>
    public void Read(long row, Span<int> destination)
    {
        this.Check(row, destination);
        _rows[row].CopyTo(destination);
    }

    /// <summary>Name, counts and a digest of the ids, since there is no file to name.</summary>
    /// <returns>A small JSON object.</returns>
    public JsonObject Describe()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (int[] row in _rows)
        {
            hash.AppendData(BitConverter.GetBytes(row.Length));
            hash.AppendData(MemoryMarshal.AsBytes<int>(row));
        }

        return new JsonObject
        {
            ["name"] = Name,
            ["format"] = "memory",
            ["rows"] = Count,
            ["row_length"] = RowLength,
            ["sha256"] = Convert.ToHexStringLower(hash.GetHashAndReset()),
        };
    }

    /// <summary>Does nothing: there is nothing to free.</summary>
    public void Dispose()
    {
    }
}
