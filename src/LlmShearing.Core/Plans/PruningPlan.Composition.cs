// Ways to make a plan: keep everything, drop blocks, read a file, and one plan after another.
using System.Collections.Immutable;
using LlmShearing.Plans;
using LlmShearing.Shapes;

namespace LlmShearing;

public sealed partial record PruningPlan
{
    /// <summary>The plan that removes nothing.</summary>
    /// <param name="shape">Shape of the model.</param>
    /// <returns>A plan whose target equals <paramref name="shape"/>.</returns>
    public static PruningPlan Identity(LlamaShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return new PruningPlan
        {
            Source = shape,
            Hidden = IndexSet.All(shape.HiddenSize),
            Layers = [.. shape.Layers.Select((l, i) => new LayerPlan(i, IndexSet.All(l.QueryHeads), IndexSet.All(l.IntermediateSize)))],
        };
    }

    /// <summary>The plan that removes whole blocks and nothing else.</summary>
    /// <param name="shape">Shape of the model.</param>
    /// <param name="blocks">0-based blocks to remove, in order of removal, which is recorded in the provenance. At least one block must stay.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="PlanException">A block does not exist, is named twice, or none would be left.</exception>
    public static PruningPlan RemoveBlocks(LlamaShape shape, IEnumerable<int> blocks)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(blocks);
        int[] order = [.. blocks];
        IndexSet gone = IndexSet.Of(order);
        if (gone.Count > 0 && gone.Indices[^1] >= shape.Layers.Length)
            throw new PlanException($"Block {gone.Indices[^1]} cannot be removed: the model has blocks 0 to {shape.Layers.Length - 1}.");
        if (gone.Count >= shape.Layers.Length)
            throw new PlanException($"All {shape.Layers.Length} blocks would be removed. Keep at least one.");
        PruningPlan all = Identity(shape);
        HashSet<int> removed = [.. order];
        PruningPlan plan = all with
        {
            Layers = [.. all.Layers.Where(l => !removed.Contains(l.SourceIndex))],
            Provenance = new PlanProvenance { RemovedBlocks = [.. order] },
        };
        plan.Validate();
        return plan;
    }

    /// <summary>A hand-made plan: the units that a person names stay.</summary>
    /// <param name="shape">Shape of the model.</param>
    /// <param name="kept">Units to keep, by axis.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="PlanException">A unit does not exist, a named block is not kept, or nothing would be left.</exception>
    public static PruningPlan FromKept(LlamaShape shape, KeptUnits kept)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(kept);
        IndexSet blocks = kept.Layers ?? IndexSet.All(shape.Layers.Length);
        if (blocks.Count > 0 && blocks.Indices[^1] >= shape.Layers.Length)
            throw new PlanException($"layers: block {blocks.Indices[^1]} does not exist; the model has blocks 0 to {shape.Layers.Length - 1}.");
        kept.QueryHeads?.EnsureAmong(blocks, "query heads");
        kept.Intermediate?.EnsureAmong(blocks, "intermediate");
        PruningPlan all = Identity(shape);
        PruningPlan plan = all with
        {
            Hidden = kept.Hidden ?? all.Hidden,
            Layers = [.. blocks.Indices.Select(block => all.Layers[block] with
            {
                QueryHeads = kept.QueryHeads?.Of(block, shape.Layers[block].QueryHeads, "query heads") ?? all.Layers[block].QueryHeads,
                Intermediate = kept.Intermediate?.Of(block, shape.Layers[block].IntermediateSize, "intermediate") ?? all.Layers[block].Intermediate,
            })],
        };
        plan.Validate();
        return plan;
    }

    /// <summary>What becomes of every block of the source, in order.</summary>
    /// <returns>One entry for each source block.</returns>
    /// <exception cref="PlanException">The plan is not valid.</exception>
    public ImmutableArray<LayerDescription> Describe()
    {
        LlamaShape target = Target;
        var position = Layers.Select((l, i) => (l.SourceIndex, i)).ToDictionary();
        return [.. Source.Layers.Select((before, block) => position.TryGetValue(block, out int i)
            ? new LayerDescription(block, i, before, target.Layers[i], Layers[i])
            : new LayerDescription(block, null, before, null, null))];
    }

    /// <summary>This plan followed by another one, as a single plan for this plan's source. Associative.</summary>
    /// <param name="next">A plan for the shape that this plan leaves.</param>
    /// <returns>The composed plan. Its provenance joins the orders of removal and otherwise takes what the later plan says, the model's name excepted.</returns>
    /// <exception cref="PlanException">The second plan is for another shape than the first one leaves.</exception>
    public PruningPlan Then(PruningPlan next)
    {
        ArgumentNullException.ThrowIfNull(next);
        if (ShapeRules.Difference(expected: Target, found: next.Source) is string difference)
            throw new PlanException($"The second plan does not start where the first one ends: {difference}. Make it for the first plan's target shape.");
        next.Validate();
        return new PruningPlan
        {
            Source = Source,
            Hidden = Hidden.Then(next.Hidden),
            Layers = [.. next.Layers.Select(Compose)],
            Provenance = Join(Provenance, next.Provenance),
        };
    }

    /// <summary>Writes the plan to a JSON file; see <see cref="PruningPlanJson"/>.</summary>
    /// <param name="path">File; replaced only when everything is written.</param>
    /// <exception cref="PlanException">The plan is not valid, or the file cannot be written.</exception>
    public void Save(string path) => PruningPlanJson.Save(this, path);

    /// <summary>Reads a plan from a JSON file; see <see cref="PruningPlanJson"/>.</summary>
    /// <param name="path">The file.</param>
    /// <returns>A valid plan.</returns>
    /// <exception cref="PlanException">The file cannot be read, is not a plan, or not a valid one.</exception>
    public static PruningPlan Load(string path) => PruningPlanJson.Load(path);

    private LayerPlan Compose(LayerPlan next)
    {
        LayerPlan mine = Layers[next.SourceIndex];
        return new LayerPlan(mine.SourceIndex, mine.QueryHeads.Then(next.QueryHeads), mine.Intermediate.Then(next.Intermediate));
    }

    private PlanProvenance? Join(PlanProvenance? first, PlanProvenance? second)
    {
        if (second is null)
            return first;
        // The second plan counts blocks of the first one's result; the record speaks of the source.
        ImmutableArray<int> later = [.. (second.RemovedBlocks ?? []).Select(i => Layers[i].SourceIndex)];
        IReadOnlyList<int>? removed = first?.RemovedBlocks is null && second.RemovedBlocks is null ? null : [.. first?.RemovedBlocks ?? [], .. later];
        return new PlanProvenance(second.Scorer ?? first?.Scorer, second.Strategy ?? first?.Strategy)
        {
            CalibrationHash = second.CalibrationHash ?? first?.CalibrationHash,
            Model = first?.Model ?? second.Model,
            Library = second.Library ?? first?.Library,
            RemovedBlocks = removed,
        };
    }
}
