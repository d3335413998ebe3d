namespace LlmShearing.Data.Split;

/// <summary>How rows are split.</summary>
public sealed class SplitOptions
{
    /// <summary>What stays together.</summary>
    /// <value>Default: <see cref="SplitUnit.Rows"/>.</value>
    public SplitUnit Unit { get; set; } = SplitUnit.Rows;

    /// <summary>Decides which rows go where.</summary>
    /// <value>Default: 17.</value>
    public int Seed { get; set; } = 17;

    /// <summary>Id that begins a document; for <see cref="SplitUnit.Documents"/>.</summary>
    /// <value>Default: null = documents have none.</value>
    public int? BosTokenId { get; set; }

    /// <summary>Id that ends a document; for <see cref="SplitUnit.Documents"/>.</summary>
    /// <value>Default: null = documents have none.</value>
    public int? EosTokenId { get; set; }
}
