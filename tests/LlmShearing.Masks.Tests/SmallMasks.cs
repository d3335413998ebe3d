// Small layouts with every combination of families, and random scores for them.
namespace LlmShearing.Masks.Tests;

internal static class SmallMasks
{
    /// <summary>Layouts by name: "heads" = a key/value head for every query head, "groups" = three query heads for each; "blocks" or "sub-blocks"; "target" or "budget".</summary>
    public static readonly TheoryData<string> Names = [.. from h in new[] { "heads", "groups" } from b in new[] { "blocks", "sub-blocks" } from m in new[] { "target", "budget" } select $"{h} {b} {m}"];

    public static MaskLayout Layout(string name)
    {
        bool groups = name.Contains("groups", StringComparison.Ordinal);
        LlamaShape source = groups ? L0Case.Uniform(10, 9, 3, 7, 4, 3) : L0Case.Uniform(10, 6, 6, 7, 4, 3), target = L0Case.Uniform(6, 4, groups ? 2 : 4, 5, 3, 3);
        PruningAxes axes = PruningAxes.Hidden | PruningAxes.QueryHeads | PruningAxes.Intermediate | (groups ? PruningAxes.KeyValueGroups : 0)
            | (name.Contains("sub-blocks", StringComparison.Ordinal) ? PruningAxes.Attention | PruningAxes.Mlp : PruningAxes.Layers);
        return name.EndsWith("target", StringComparison.Ordinal) ? MaskLayout.ForTarget(source, target, axes) : MaskLayout.ForBudget(source, axes);
    }

    public static SparsityConstraint Constraint(string name, long warmup = 10, double start = 0.05)
    {
        MaskLayout layout = Layout(name);
        return new SparsityConstraint(layout, new SparsityRamp(warmup, start), layout.Target is null ? 0.6 : null);
    }

    /// <summary>Numbers in (low, high) by axis.</summary>
    public static Dictionary<PruningAxes, double[]> Random(MaskLayout layout, int seed, double low, double high)
    {
        var random = new Random(seed);
        return layout.Families.ToDictionary(f => f.Axis, f => Enumerable.Range(0, f.Count).Select(_ => low + ((high - low) * random.NextDouble())).ToArray());
    }

    public static MultiplierPair[] RandomMultipliers(SparsityConstraint constraint, int seed)
    {
        var random = new Random(seed);
        return [.. constraint.Names.Select(_ => new MultiplierPair((4 * random.NextDouble()) - 2, (4 * random.NextDouble()) - 2))];
    }

    public static Dictionary<PruningAxes, double[]> Scores(Dictionary<PruningAxes, double[]> logits) =>
        logits.ToDictionary(l => l.Key, l => l.Value.Select(a => HardConcrete.Score(a).Value).ToArray());
}
