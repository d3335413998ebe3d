namespace LlmShearing.Data.Rows;

/// <summary>What happens to the ids at the end of a file that do not fill a row. No row ever holds ids of two domains.</summary>
public enum RowRemainder
{
    /// <summary>They begin the next file's first row; only the end of the domain is dropped, at most one row less one id.</summary>
    Carry,

    /// <summary>They are dropped: no row holds ids of two files. A file of T ids gives T div L rows of L.</summary>
    Drop,

    /// <summary>As <see cref="Drop"/>, but a row is given out only when an id follows it, as LLM-Shearing's tokenize_single_file.py does: (T - 1) div L rows, 1 to L ids dropped.</summary>
    DropAsLlmShearing,
}
