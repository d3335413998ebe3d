namespace LlmShearing;

/// <summary>Where a plan comes from: recorded, never interpreted. Equality compares every member, the order of removal included.</summary>
/// <param name="Scorer">Criterion name.</param>
/// <param name="Strategy">Strategy name.</param>
public sealed record PlanProvenance(string? Scorer = null, string? Strategy = null)
{
    /// <summary>SHA-256 (lower-case hex) of the calibration ids, or null.</summary>
    public string? CalibrationHash { get; init; }

    /// <summary>Name or path of the source model as the user gave it.</summary>
    public string? Model { get; init; }

    /// <summary>Blocks removed, least important first, as far as the strategy has an order. Indices of the plan's source.</summary>
    public IReadOnlyList<int>? RemovedBlocks { get; init; }

    /// <summary>Version of the library that made the plan.</summary>
    public string? Library { get; init; }

    /// <inheritdoc/>
    public bool Equals(PlanProvenance? other) =>
        other is not null && Scorer == other.Scorer && Strategy == other.Strategy && CalibrationHash == other.CalibrationHash
        && Model == other.Model && Library == other.Library
        && (RemovedBlocks is null ? other.RemovedBlocks is null : other.RemovedBlocks is not null && RemovedBlocks.SequenceEqual(other.RemovedBlocks));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Scorer, Strategy, CalibrationHash, Model, Library, RemovedBlocks?.Count);
}
