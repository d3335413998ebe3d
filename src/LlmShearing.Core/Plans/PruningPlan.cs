// A plan is data: which units of a source shape stay. Applying it is the business of Surgery; reading and writing JSON, of PruningPlanJson.
using System.Collections.Immutable;
using LlmShearing.Shapes;

namespace LlmShearing;

/// <summary>Which units of a model stay. All indices refer to <see cref="Source"/>. Equality compares everything, provenance included.</summary>
public sealed partial record PruningPlan
{
    /// <summary>Version of the plan format written by this library.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Version of the plan format.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Shape of the model that the plan is for.</summary>
    public required LlamaShape Source { get; init; }

    /// <summary>Residual channels kept; at least one.</summary>
    public required IndexSet Hidden { get; init; }

    /// <summary>Blocks kept, in ascending order of their source index; at least one.</summary>
    public required ImmutableArray<LayerPlan> Layers { get; init; }

    /// <summary>Where the plan comes from, or null.</summary>
    public PlanProvenance? Provenance { get; init; }

    /// <summary>Shape of the model that is left. Computed, and the plan validated, on every read: keep it in a local.</summary>
    /// <exception cref="PlanException">The plan is not valid; see <see cref="Validate"/>.</exception>
    public LlamaShape Target
    {
        get
        {
            Validate();
            return Source with { HiddenSize = Hidden.Count, Layers = [.. Layers.Select(TargetLayer)] };
        }
    }

    /// <summary>Source indices of the blocks that go, ascending. The order of removal, where there is one, is in the provenance.</summary>
    public IndexSet RemovedBlocks
    {
        get
        {
            HashSet<int> kept = [.. Layers.Select(l => l.SourceIndex)];
            return IndexSet.Of(Enumerable.Range(0, Source.Layers.Length).Where(i => !kept.Contains(i)));
        }
    }

    /// <summary>Whether nothing is removed.</summary>
    public bool IsIdentity =>
        Hidden.IsAll(Source.HiddenSize) && Layers.Length == Source.Layers.Length
        && Layers.All(l => l.QueryHeads.IsAll(Source.Layers[l.SourceIndex].QueryHeads)
            && l.Intermediate.IsAll(Source.Layers[l.SourceIndex].IntermediateSize));

    /// <summary>Key/value heads that stay in kept block <paramref name="layer"/>: those of which at least one query head stays.</summary>
    /// <param name="layer">Position in <see cref="Layers"/>, which is the block's index in the result.</param>
    /// <returns>Key/value heads of the source block.</returns>
    public IndexSet KeyValueHeads(int layer)
    {
        LayerPlan plan = Layers[layer];
        int[] owner = Source.Layers[plan.SourceIndex].KeyValueHeadOfQueryHead();
        return IndexSet.Of(plan.QueryHeads.Indices.Select(q => owner[q]).Distinct());
    }

    /// <summary>Checks that the plan is possible for its source: indices in range, blocks ascending, at least one block and one residual channel left.</summary>
    /// <exception cref="PlanException">It is not; the message names the layer, the axis and both numbers.</exception>
    public void Validate()
    {
        if (Version is < 1 or > CurrentVersion)
            throw new PlanException($"Plan version {Version} is not known; this library knows 1 to {CurrentVersion}. Use a newer release of the library.");
        ShapeRules.Check(Source);
        if (Hidden.Count == 0)
            throw new PlanException($"The plan keeps none of {Source.HiddenSize} residual channels. Keep at least one.");
        CheckRange("hidden", Hidden, Source.HiddenSize);
        if (Layers.IsDefaultOrEmpty)
            throw new PlanException($"The plan keeps none of {Source.Layers.Length} blocks. Keep at least one.");
        for (int i = 0; i < Layers.Length; i++)
        {
            LayerPlan layer = Layers[i];
            if (layer.SourceIndex < 0 || layer.SourceIndex >= Source.Layers.Length)
                throw new PlanException($"layers[{i}] keeps block {layer.SourceIndex}, but the source has blocks 0 to {Source.Layers.Length - 1}.");
            if (i > 0 && layer.SourceIndex <= Layers[i - 1].SourceIndex)
                throw new PlanException($"layers[{i}] keeps block {layer.SourceIndex} after block {Layers[i - 1].SourceIndex}. Name every block once, in ascending order.");
            CheckRange($"query heads of block {layer.SourceIndex}", layer.QueryHeads, Source.Layers[layer.SourceIndex].QueryHeads);
            CheckRange($"intermediate channels of block {layer.SourceIndex}", layer.Intermediate, Source.Layers[layer.SourceIndex].IntermediateSize);
        }
    }

    /// <summary>Refuses the plan for a model of another shape.</summary>
    /// <param name="shape">Shape of the model at hand.</param>
    /// <exception cref="PlanException">The shapes differ; the message names the first dimension that does, with both values.</exception>
    public void EnsureFor(LlamaShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (ShapeRules.Difference(expected: Source, found: shape) is string difference)
            throw new PlanException($"The plan was made for another model: {difference}. Use the model it was made from, or make a new plan.");
        Validate();
    }

    /// <inheritdoc/>
    public bool Equals(PruningPlan? other) =>
        other is not null && Version == other.Version && Source.Equals(other.Source) && Hidden.Equals(other.Hidden)
        && Layers.AsSpan().SequenceEqual(other.Layers.AsSpan()) && Equals(Provenance, other.Provenance);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Source);
        hash.Add(Hidden);
        foreach (LayerPlan layer in Layers.IsDefault ? [] : Layers)
            hash.Add(layer);
        return hash.ToHashCode();
    }

    private static void CheckRange(string what, IndexSet kept, int size)
    {
        if (kept.Count > 0 && kept.Indices[^1] >= size)
            throw new PlanException($"The plan keeps index {kept.Indices[^1]} of the {what}, but the source has only {size}.");
    }

    // Group sizes are recorded only when they differ: an ordinary model says nothing about them.
    private LayerShape TargetLayer(LayerPlan layer)
    {
        LayerShape source = Source.Layers[layer.SourceIndex];
        int[] owner = source.KeyValueHeadOfQueryHead();
        int[] sizes = new int[source.KeyValueHeads];
        foreach (int q in layer.QueryHeads.Indices)
            sizes[owner[q]]++;
        ImmutableArray<int> groups = [.. sizes.Where(size => size > 0)];
        var target = new LayerShape(layer.QueryHeads.Count, groups.Length, layer.Intermediate.Count);
        return groups.All(size => size == groups[0]) ? target : target with { GroupSizes = groups };
    }
}
