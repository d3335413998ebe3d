using System.Text.Json.Nodes;

namespace LlmShearing.Data.Rows;

/// <summary>
/// Token rows that can be read in any order: shards on disk, arrays in memory, or a selection of either. Reading a row costs the same
/// wherever it is. Every member may be used by several threads at once, except <see cref="IDisposable.Dispose"/>.
/// </summary>
public interface ITokenRows : IDisposable
{
    /// <summary>Name of the domain, or of the file when it says nothing about a domain.</summary>
    string Name { get; }

    /// <summary>Number of rows.</summary>
    long Count { get; }

    /// <summary>Tokens of every row; 0 when rows differ in length (see <see cref="Length"/>).</summary>
    int RowLength { get; }

    /// <summary>Number of ids of the tokenizer that made the rows, when known: every id is below it.</summary>
    int? VocabularySize { get; }

    /// <summary>Tokens of one row.</summary>
    /// <param name="row">0-based row.</param>
    /// <returns>At least 0; <see cref="RowLength"/> unless that is 0.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    int Length(long row);

    /// <summary>Copies the ids of one row.</summary>
    /// <param name="row">0-based row.</param>
    /// <param name="destination">Receives the ids; exactly <see cref="Length"/> long.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    /// <exception cref="TokenDataException">The data are damaged; the message names the file and the place.</exception>
    void Read(long row, Span<int> destination);

    /// <summary>What identifies the rows, for provenance and for checking that a run is resumed with the same data: name, format, counts, file names with sizes. No folder of this machine is named.</summary>
    /// <returns>A small JSON object; the caller's to keep.</returns>
    JsonObject Describe();
}
