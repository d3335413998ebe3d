namespace LlmShearing;

/// <summary>What stays of one block. Empty sets mean that the sub-block is absent in the result.</summary>
/// <param name="SourceIndex">Index of the block in the source model.</param>
/// <param name="QueryHeads">Query heads kept; a key/value head stays while one of its query heads does.</param>
/// <param name="Intermediate">Feed-forward channels kept.</param>
public sealed record LayerPlan(int SourceIndex, IndexSet QueryHeads, IndexSet Intermediate);

/// <summary>Where a plan comes from: recorded, never interpreted.</summary>
/// <param name="Scorer">Criterion name.</param>
/// <param name="Strategy">Strategy name.</param>
public sealed record PlanProvenance(string? Scorer = null, string? Strategy = null)
{
    /// <summary>SHA-256 (lower-case hex) of the calibration ids, or null.</summary>
    public string? CalibrationHash { get; init; }

    /// <summary>Name or path of the source model as the user gave it.</summary>
    public string? Model { get; init; }

    /// <summary>Blocks or units removed, least important first, as far as the strategy has an order.</summary>
    public IReadOnlyList<int>? RemovedBlocks { get; init; }

    /// <summary>Version of the library that made the plan.</summary>
    public string? Library { get; init; }
}
