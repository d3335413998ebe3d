namespace LlmShearing;

/// <summary>What stays of one block. Empty sets mean that the sub-block is absent in the result.</summary>
/// <param name="SourceIndex">Index of the block in the source model.</param>
/// <param name="QueryHeads">Query heads kept; a key/value head stays while one of its query heads does.</param>
/// <param name="Intermediate">Feed-forward channels kept.</param>
public sealed record LayerPlan(int SourceIndex, IndexSet QueryHeads, IndexSet Intermediate);
