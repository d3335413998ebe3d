// A plan is data: which units of a source shape stay. Applying it is the business of Surgery; reading and writing JSON, of PruningPlanJson.
using System.Collections.Immutable;

namespace LlmShearing;

/// <summary>Which units of a model stay. All indices refer to <see cref="Source"/>.</summary>
public sealed record PruningPlan
{
    /// <summary>Version of the plan format written by this library.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Version of the plan format.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Shape of the model that the plan is for.</summary>
    public required LlamaShape Source { get; init; }

    /// <summary>Residual channels kept.</summary>
    public required IndexSet Hidden { get; init; }

    /// <summary>Blocks kept, in ascending order of their source index.</summary>
    public required ImmutableArray<LayerPlan> Layers { get; init; }

    /// <summary>Where the plan comes from, or null.</summary>
    public PlanProvenance? Provenance { get; init; }
}
