using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Data.Rows;

/// <summary>A text file that rows were made of.</summary>
/// <param name="File">Its path relative to the domain's folder, with forward slashes.</param>
/// <param name="FirstRow">The first row that begins in it; rows of one file follow one another.</param>
/// <param name="Rows">Rows that begin in it.</param>
/// <param name="Documents">Documents that were encoded, empty ones not counted.</param>
/// <param name="EmptyDocuments">Documents without text, which were left out.</param>
/// <param name="Tokens">Ids of its documents, special tokens included.</param>
/// <param name="Bytes">Size of the file.</param>
/// <param name="Modified">When it was last written, UTC, in 100 ns ticks.</param>
public sealed record TokenSource(string File, long FirstRow, long Rows, long Documents, long EmptyDocuments, long Tokens, long Bytes, long Modified)
{
    internal JsonObject Json() => new()
    {
        ["file"] = File,
        ["first_row"] = FirstRow,
        ["rows"] = Rows,
        ["documents"] = Documents,
        ["empty_documents"] = EmptyDocuments,
        ["tokens"] = Tokens,
        ["bytes"] = Bytes,
        ["modified"] = Modified,
    };

    internal static TokenSource Read(StrictJson json)
    {
        var source = new TokenSource(
            json.Text("file"), json.Long("first_row", 0), json.Long("rows", 0), json.Long("documents", 0), json.Long("empty_documents", 0),
            json.Long("tokens", 0), json.Long("bytes", 0), json.Long("modified", 0));
        json.End();
        return source;
    }
}
