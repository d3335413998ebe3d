// Width pruning to an exact shape: the best units of every axis stay, as many as the target says.
using System.Collections.Immutable;
using LlmShearing.Shapes;
using LlmShearing.Support;

namespace LlmShearing.Planning;

/// <summary>
/// Reaches a target shape exactly: the best residual channels over the whole model, the best intermediate channels and heads of every layer and, when the target has
/// fewer blocks, the best blocks. Axes that keep their size need no scores. Of equal units the lower index stays; of equal blocks the lower index goes, as in block-depth.
/// </summary>
/// <remarks>
/// Heads: first the key/value heads are chosen, by <see cref="PruningAxes.KeyValueGroups"/> scores if there are any, else by the sum of their query heads' scores; then, in every
/// key/value head that stays, the best query heads, equally many in each, so that the result is an ordinary grouped-query model. A target with fewer key/value heads and the same group
/// size removes whole groups; one with the same key/value heads removes query heads within groups (Minitron, section 3).
/// </remarks>
public sealed class TargetedWidthStrategy : IPruningStrategy
{
    /// <summary>Name under which the strategy is registered and recorded.</summary>
    public const string Name = "targeted-width";

    /// <inheritdoc/>
    public PruningAxes RequiredAxes => PruningAxes.Width | PruningAxes.Layers;

    /// <inheritdoc/>
    public PruningAxes RequiredAxesFor(LlamaShape source, LlamaShape target)
    {
        EnsureReachable(source, target);
        var axes = PruningAxes.None;
        if (target.HiddenSize < source.HiddenSize)
            axes |= PruningAxes.Hidden;
        bool fewerBlocks = target.Layers.Length < source.Layers.Length;
        if (fewerBlocks)
            axes |= PruningAxes.Layers;
        // Which source block becomes which is not known before scoring when blocks go; a layer then counts against every candidate.
        for (int t = 0; t < target.Layers.Length; t++)
            for (int s = t; s <= t + source.Layers.Length - target.Layers.Length; s++)
                axes |= AxesOf(source.Layers[s], target.Layers[t]);
        return axes;
    }

    /// <inheritdoc/>
    public PruningPlan CreatePlan(LlamaShape target, ImportanceScores scores)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(scores);
        LlamaShape source = scores.Source;
        EnsureReachable(source, target);
        int excess = source.Layers.Length - target.Layers.Length;
        // Blocks go as block-depth removes them, so that both strategies agree on ties.
        ImmutableArray<int>? removed = excess == 0 ? null : scores.LayerOrder()[..excess];
        IndexSet blocks = IndexSet.Of(Enumerable.Range(0, source.Layers.Length).Except(removed ?? []));
        var plan = new PruningPlan
        {
            Source = source,
            Hidden = target.HiddenSize == source.HiddenSize ? IndexSet.All(source.HiddenSize) : Ranking.Top(scores[PruningAxes.Hidden][0], target.HiddenSize),
            Layers = [.. blocks.Indices.Select((block, i) => Layer(block, i, source.Layers[block], target.Layers[i], scores))],
            Provenance = new PlanProvenance(scores.Scorer, Name) { Library = LibraryVersion.Text, RemovedBlocks = removed },
        };
        return ShapeRules.Difference(expected: target, found: plan.Target) is string difference
            ? throw new PlanException($"The plan would miss its target: {difference}. Please report this, with both shapes.")
            : plan;
    }

    private static PruningAxes AxesOf(LayerShape source, LayerShape target)
    {
        var axes = PruningAxes.None;
        if (target.IntermediateSize > 0 && target.IntermediateSize < source.IntermediateSize)
            axes |= PruningAxes.Intermediate;
        if (target.QueryHeads == 0 || target.QueryHeads >= source.QueryHeads)
            return axes;
        bool grouped = source.KeyValueHeads < source.QueryHeads;
        if (target.KeyValueHeads < source.KeyValueHeads && grouped)
            axes |= PruningAxes.KeyValueGroups;
        bool withinGroups = (long)target.QueryHeads * source.KeyValueHeads < (long)source.QueryHeads * target.KeyValueHeads || !source.HasEqualGroups;
        return !grouped || withinGroups ? axes | PruningAxes.QueryHeads : axes;
    }

    // Sizes that no choice of units can give, before any score is looked at.
    private static void EnsureReachable(LlamaShape source, LlamaShape target)
    {
        ShapeRules.Check(source);
        ShapeRules.Check(target);
        if (target.HiddenSize > source.HiddenSize)
            throw new PlanException($"hidden: the target wants {target.HiddenSize} channels, the source has {source.HiddenSize}. Pruning cannot widen a model.");
        if (target.Layers.Length > source.Layers.Length)
            throw new PlanException($"layers: the target wants {target.Layers.Length} blocks, the source has {source.Layers.Length}. Pruning cannot add blocks.");
        LlamaShape comparable = target with { HiddenSize = source.HiddenSize, Layers = source.Layers };
        if (ShapeRules.Difference(expected: source, found: comparable) is string difference)
            throw new PlanException($"The target differs from the source in what pruning leaves alone: {difference}. Start the target from the source shape.");
    }

    private static LayerPlan Layer(int block, int position, LayerShape source, LayerShape target, ImportanceScores scores)
    {
        string where = $"target layer {position} (block {block} of the source)";
        if (target.IntermediateSize > source.IntermediateSize)
            throw new PlanException($"intermediate: {where} wants {target.IntermediateSize} channels, the source has {source.IntermediateSize}. Pruning cannot widen a model.");
        if (target.QueryHeads > source.QueryHeads || target.KeyValueHeads > source.KeyValueHeads)
            throw new PlanException($"heads: {where} wants {target.QueryHeads} query and {target.KeyValueHeads} key/value heads, the source has {source.QueryHeads} and {source.KeyValueHeads}. Pruning cannot add heads.");
        return new LayerPlan(block, Heads(block, where, source, target, scores), Intermediate(block, source.IntermediateSize, target.IntermediateSize, scores));
    }

    private static IndexSet Intermediate(int block, int size, int wanted, ImportanceScores scores)
    {
        if (wanted == size)
            return IndexSet.All(size);
        return wanted == 0 ? IndexSet.Empty : Ranking.Top(scores[PruningAxes.Intermediate][block], wanted);
    }

    private static IndexSet Heads(int block, string where, LayerShape source, LayerShape target, ImportanceScores scores)
    {
        if (target.QueryHeads == 0)
            return IndexSet.Empty;
        bool sameHeads = target.QueryHeads == source.QueryHeads && target.KeyValueHeads == source.KeyValueHeads;
        if (sameHeads && source with { IntermediateSize = 0 } == target with { IntermediateSize = 0 })
            return IndexSet.All(source.QueryHeads);
        if (!target.HasEqualGroups)
            throw new PlanException($"heads: {where} wants unequal groups. {Name} keeps equally many query heads for every key/value head; leave GroupSizes out of the target.");
        int groupSize = target.QueryHeads / target.KeyValueHeads;
        List<int[]> candidates = [.. Groups(source).Where(g => g.Length >= groupSize)];
        if (candidates.Count < target.KeyValueHeads)
            throw new PlanException($"heads: {where} wants {target.KeyValueHeads} key/value heads with {groupSize} query heads each, but only {candidates.Count} of the source's {source.KeyValueHeads} serve that many. Keep fewer query heads for each, or fewer key/value heads.");
        IndexSet groups = candidates.Count == target.KeyValueHeads
            ? IndexSet.All(candidates.Count)
            : Ranking.Top(candidates.ConvertAll(g => GroupScore(block, g, source, scores)), target.KeyValueHeads);
        return IndexSet.Of(groups.Indices.SelectMany(g => Within(block, candidates[g], groupSize, scores).Indices));
    }

    private static IndexSet Within(int block, int[] group, int wanted, ImportanceScores scores) =>
        group.Length == wanted ? IndexSet.Of(group) : Ranking.Top(group.Select(q => (q, scores[PruningAxes.QueryHeads][block][q])), wanted);

    private static double GroupScore(int block, int[] group, LayerShape source, ImportanceScores scores)
    {
        if (!scores.Has(PruningAxes.KeyValueGroups))
            return group.Sum(q => scores[PruningAxes.QueryHeads][block][q]);
        return scores[PruningAxes.KeyValueGroups][block][source.KeyValueHeadOfQueryHead()[group[0]]];
    }

    // Query heads by key/value head, in order.
    private static IEnumerable<int[]> Groups(LayerShape layer)
    {
        for (int head = 0, q = 0; head < layer.KeyValueHeads; q += layer.GroupSize(head), head++)
            yield return [.. Enumerable.Range(q, layer.GroupSize(head))];
    }
}
