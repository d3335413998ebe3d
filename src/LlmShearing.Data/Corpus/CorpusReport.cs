using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Corpus;

/// <summary>What tokenizing a corpus made.</summary>
/// <param name="Domains">By domain, in the order given.</param>
public sealed record CorpusReport(IReadOnlyList<CorpusDomainReport> Domains)
{
    /// <summary>Rows of all domains.</summary>
    public long Rows => Domains.Sum(d => d.Rows);

    /// <summary>Ids of all documents, those that are in no row included.</summary>
    public long Tokens => Domains.Sum(d => d.Tokens);
}

/// <summary>What one domain became.</summary>
/// <param name="Name">The domain.</param>
/// <param name="Folder">Where its shards and index.json are.</param>
/// <param name="Rows">Rows written.</param>
/// <param name="Tokens">Ids of its documents, special tokens included.</param>
/// <param name="DroppedTokens">Ids that are in no row (see <see cref="RowRemainder"/>).</param>
/// <param name="Documents">Documents encoded.</param>
/// <param name="EmptyDocuments">Documents without text, left out unless <see cref="CorpusTokenizerOptions.KeepEmptyDocuments"/>.</param>
/// <param name="RepairedDocuments">Documents in which invalid text was replaced, in the files encoded this time.</param>
/// <param name="Files">Source files.</param>
/// <param name="FilesSkipped">Source files that an earlier run had already finished.</param>
public sealed record CorpusDomainReport(
    string Name, string Folder, long Rows, long Tokens, long DroppedTokens, long Documents, long EmptyDocuments, long RepairedDocuments, int Files, int FilesSkipped);
