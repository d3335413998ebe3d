// What the sparsity constraint says about masks in one step.
using System.Collections.Immutable;

namespace LlmShearing.Masks;

/// <summary>Lagrange multipliers of one constraint (or their gradients): lambda1 of the error, lambda2 of its square.</summary>
/// <param name="Linear">lambda1.</param>
/// <param name="Quadratic">lambda2.</param>
public readonly record struct MultiplierPair(double Linear, double Quadratic);

/// <summary>Sparsity of one family.</summary>
/// <param name="Family">The family.</param>
/// <param name="Expected">Expected share of entries that are 0, mean over rows.</param>
/// <param name="Target">The share wanted in this step; null when only the total is constrained.</param>
public readonly record struct FamilySparsity(MaskFamily Family, double Expected, double? Target);

/// <summary>Value and derivatives of the Lagrangian, and what is worth logging.</summary>
public sealed record ConstraintValue
{
    /// <summary>The Lagrangian; may be negative.</summary>
    public required double Loss { get; init; }

    /// <summary>d loss / d score of every entry, by axis, flat.</summary>
    public required IReadOnlyDictionary<PruningAxes, double[]> ScoreGradients { get; init; }

    /// <summary>d loss / d multipliers, in the order of <see cref="SparsityConstraint.Names"/>.</summary>
    public required ImmutableArray<MultiplierPair> MultiplierGradients { get; init; }

    /// <summary>Sparsity of each family, in the order of the layout.</summary>
    public required ImmutableArray<FamilySparsity> Families { get; init; }

    /// <summary>Expected share of the prunable parameters that are gone. A target shape makes it a value to look at only; the loss does not contain it then.</summary>
    public required double ExpectedSparsity { get; init; }

    /// <summary>The share wanted in this step.</summary>
    public required double TargetSparsity { get; init; }

    /// <summary>Expected number of prunable parameters that are left.</summary>
    public required double ExpectedParameters { get; init; }
}
