// Rows inside one mapped file: of one length one after the other, or documents that begin where a table says.
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Rows;

internal sealed class MappedTokenRows : ITokenRows, IStoredRows
{
    private readonly string _format;
    private readonly MappedTokens _tokens;
    private readonly long[]? _starts;
    private readonly JsonNode[] _files;

    /// <param name="name">Name of the rows.</param>
    /// <param name="format">Name of the format.</param>
    /// <param name="tokens">The ids; disposed with this.</param>
    /// <param name="rowLength">Ids a row; 0 when <paramref name="starts"/> is given.</param>
    /// <param name="starts">First id of each row and the end of the last; null for rows of one length.</param>
    /// <param name="vocabularySize">Ids are below it.</param>
    /// <param name="files">The files it is made of.</param>
    public MappedTokenRows(string name, string format, MappedTokens tokens, int rowLength, long[]? starts, int? vocabularySize, params string[] files)
    {
        (Name, _format, _tokens, RowLength, _starts, VocabularySize) = (name, format, tokens, rowLength, starts, vocabularySize);
        Place = files[0];
        Count = starts is null ? tokens.Count / rowLength : starts.Length - 1;
        _files = [.. files.Select(f => new JsonObject { ["file"] = Path.GetFileName(f), ["bytes"] = TokenStreams.Length(f) })];
    }

    public string Name { get; }

    public string Place { get; }

    public long Count { get; }

    public int RowLength { get; }

    public int? VocabularySize { get; }

    public int Length(long row)
    {
        this.Check(row);
        return _starts is null ? RowLength : (int)(_starts[row + 1] - _starts[row]);
    }

    public void Read(long row, Span<int> destination)
    {
        this.Check(row, destination);
        _tokens.Read(_starts is null ? row * RowLength : _starts[row], destination);
    }

    public JsonObject Describe() => new()
    {
        ["name"] = Name,
        ["format"] = _format,
        ["rows"] = Count,
        ["row_length"] = RowLength,
        ["files"] = new JsonArray([.. _files.Select(f => f.DeepClone())]),
    };

    public void Dispose() => _tokens.Dispose();
}
