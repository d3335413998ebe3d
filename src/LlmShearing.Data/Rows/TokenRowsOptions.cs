namespace LlmShearing.Data.Rows;

/// <summary>What the file itself does not say when token rows are opened.</summary>
public sealed class TokenRowsOptions
{
    /// <summary>
    /// Ids a row. Streams of ids (nanoGPT and llm.c .bin, one-dimensional .npy, Megatron) are cut into rows of it, and what does not fill a row at the end is dropped; files with
    /// rows of their own must have this length. Null: rows as they are, documents as rows of a Megatron file; then headerless streams are refused.
    /// </summary>
    /// <value>Default: null.</value>
    public int? RowLength { get; set; }

    /// <summary>
    /// Type of the ids in a headerless .bin and in MDS columns of raw bytes, which the files do not say. Null: UInt16, as nanoGPT and LLM-Shearing write, unless the first rows
    /// look as if they had another type. Rows that cannot be of the type (every second id 0, ids that no vocabulary has) are refused in either case.
    /// </summary>
    /// <value>Default: null.</value>
    public TokenDtype? Dtype { get; set; }

    /// <summary>Every id must be below it; null = not checked beyond being an id.</summary>
    /// <value>Default: null.</value>
    public int? VocabularySize { get; set; }

    /// <summary>Name of the rows; null = the domain that the file names, else the name of the file or folder.</summary>
    /// <value>Default: null.</value>
    public string? Name { get; set; }

    /// <summary>MDS column that holds the ids.</summary>
    /// <value>Default: <c>tokens</c>.</value>
    public string TokenColumn { get; set; } = "tokens";
}
