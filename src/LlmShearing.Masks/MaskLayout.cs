// Which masks there are for a model and a target, decided from shapes alone.
using System.Collections.Immutable;

namespace LlmShearing.Masks;

/// <summary>The mask families of one run, in a fixed order: hidden, key-value-groups, query-heads, intermediate, layers, attention, mlp.</summary>
public sealed class MaskLayout
{
    private MaskLayout(LlamaShape source, LlamaShape? target, ImmutableArray<MaskFamily> families) => (Source, Target, Families) = (source, target, families);

    /// <summary>Shape of the masked model; all blocks alike.</summary>
    public LlamaShape Source { get; }

    /// <summary>Shape to reach; null when only the number of parameters is constrained.</summary>
    public LlamaShape? Target { get; }

    /// <summary>The families, in order.</summary>
    public ImmutableArray<MaskFamily> Families { get; }

    /// <summary>Masks that lead to an exact shape. Sizes that the target keeps have no mask unless <paramref name="axes"/> asks for them.</summary>
    /// <param name="source">Shape of the model; all blocks alike, with both sub-blocks and equal groups.</param>
    /// <param name="target">Shape to reach; all blocks alike, no size larger than the source's, equally many query heads in each group.</param>
    /// <param name="axes">Axes that get masks; null = those that the target changes. With Attention and Mlp instead of Layers, sub-blocks go one by one.</param>
    /// <returns>The layout.</returns>
    /// <exception cref="MaskException">The target cannot be reached or exported; the message names the dimension.</exception>
    public static MaskLayout ForTarget(LlamaShape source, LlamaShape target, PruningAxes? axes = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        LayerShape from = Uniform(source, "model"), to = Uniform(target, "target");
        Require("hidden size", source.HiddenSize, target.HiddenSize);
        Require("number of blocks", source.Layers.Length, target.Layers.Length);
        Require("query heads", from.QueryHeads, to.QueryHeads);
        Require("key/value heads", from.KeyValueHeads, to.KeyValueHeads);
        Require("intermediate size", from.IntermediateSize, to.IntermediateSize);
        if (target.HeadDim != source.HeadDim || target.VocabSize != source.VocabSize || target.TiedEmbeddings != source.TiedEmbeddings)
            throw new MaskException($"The target has head dimension {target.HeadDim} and {target.VocabSize} tokens; the model has {source.HeadDim} and {source.VocabSize}. Masks leave these alone: start the target from the model's shape.");
        int groupFrom = from.QueryHeads / from.KeyValueHeads, groupTo = to.QueryHeads / to.KeyValueHeads;
        if (groupTo > groupFrom)
            throw new MaskException($"query heads: the target wants {to.QueryHeads} query heads over {to.KeyValueHeads} key/value heads, {groupTo} each; the model has {groupFrom} each. Keep more key/value heads or fewer query heads.");
        PruningAxes changed =
            (target.HiddenSize < source.HiddenSize ? PruningAxes.Hidden : 0)
            | (groupFrom > 1 && to.KeyValueHeads < from.KeyValueHeads ? PruningAxes.KeyValueGroups : 0)
            | ((groupFrom == 1 ? to.QueryHeads < from.QueryHeads : groupTo < groupFrom) ? PruningAxes.QueryHeads : 0)
            | (to.IntermediateSize < from.IntermediateSize ? PruningAxes.Intermediate : 0)
            | (target.Layers.Length < source.Layers.Length ? PruningAxes.Layers : 0);
        PruningAxes wanted = axes ?? changed;
        Check(wanted, groupFrom);
        if (wanted == PruningAxes.None)
            throw new MaskException("The target has the sizes of the model: there is nothing to learn. Give a smaller target.");
        PruningAxes missing = changed & ~(wanted | (wanted.HasFlag(PruningAxes.Attention | PruningAxes.Mlp) ? PruningAxes.Layers : 0));
        if (missing != PruningAxes.None)
            throw new MaskException($"The target changes {missing}, which has no mask. Add it to the axes, or keep that size.");
        int? Kept(PruningAxes axis) => axis switch
        {
            PruningAxes.Hidden => target.HiddenSize,
            PruningAxes.KeyValueGroups => to.KeyValueHeads,
            PruningAxes.QueryHeads => groupFrom == 1 ? to.QueryHeads : groupTo,
            PruningAxes.Intermediate => to.IntermediateSize,
            _ => target.Layers.Length,
        };
        return new MaskLayout(source, target, Build(source, wanted, Kept));
    }

    /// <summary>Masks under a budget of parameters: every layer finds its own sizes (CoFi).</summary>
    /// <param name="source">Shape of the model; all blocks alike.</param>
    /// <param name="axes">Axes that get masks.</param>
    /// <returns>The layout; without target sizes.</returns>
    /// <exception cref="MaskException">The axes are not possible together.</exception>
    public static MaskLayout ForBudget(LlamaShape source, PruningAxes axes)
    {
        ArgumentNullException.ThrowIfNull(source);
        LayerShape from = Uniform(source, "model");
        Check(axes, from.QueryHeads / from.KeyValueHeads);
        if (axes == PruningAxes.None)
            throw new MaskException("No axis was given. Give at least one, for example intermediate.");
        return new MaskLayout(source, null, Build(source, axes, _ => null));
    }

    /// <summary>The family of an axis; null when it has no mask.</summary>
    /// <param name="axis">A single axis.</param>
    public MaskFamily? this[PruningAxes axis] => Families.FirstOrDefault(f => f.Axis == axis);

    private static ImmutableArray<MaskFamily> Build(LlamaShape source, PruningAxes axes, Func<PruningAxes, int?> kept)
    {
        LayerShape l = source.Layers[0];
        int layers = source.Layers.Length, group = l.QueryHeads / l.KeyValueHeads;
        (PruningAxes Axis, int Rows, int Size)[] all =
        [
            (PruningAxes.Hidden, 1, source.HiddenSize),
            (PruningAxes.KeyValueGroups, layers, l.KeyValueHeads),
            (PruningAxes.QueryHeads, group == 1 ? layers : layers * l.KeyValueHeads, group == 1 ? l.QueryHeads : group),
            (PruningAxes.Intermediate, layers, l.IntermediateSize),
            (PruningAxes.Layers, 1, layers),
            (PruningAxes.Attention, 1, layers),
            (PruningAxes.Mlp, 1, layers),
        ];
        return [.. all.Where(f => axes.HasFlag(f.Axis)).Select(f => new MaskFamily(f.Axis, f.Rows, f.Size, kept(f.Axis)))];
    }

    private static LayerShape Uniform(LlamaShape shape, string what)
    {
        if (!shape.IsUniform)
            throw new MaskException($"The blocks of the {what} are not all alike, or lack a sub-block. Masks are learned for models whose blocks have equal sizes; use another strategy for this one.");
        LayerShape l = shape.Layers[0];
        return l.KeyValueHeads > 0 && l.QueryHeads % l.KeyValueHeads == 0
            ? l
            : throw new MaskException($"query heads: the {what} has {l.QueryHeads} over {l.KeyValueHeads} key/value heads, which cannot be shared out equally. Give a multiple.");
    }

    private static void Require(string what, int source, int target)
    {
        if (target < 1)
            throw new MaskException($"{what}: the target wants {target}; at least 1 must stay.");
        if (target > source)
            throw new MaskException($"{what}: the target wants {target}, the model has {source}. Masks remove units, they cannot add any.");
    }

    private static void Check(PruningAxes axes, int groupSize)
    {
        if ((axes & ~(PruningAxes.Width | PruningAxes.Layers | PruningAxes.Attention | PruningAxes.Mlp)) is var unknown and not PruningAxes.None)
            throw new MaskException($"{unknown} is no kind of unit. Known: {MaskFamily.NameList}.");
        if (axes.HasFlag(PruningAxes.Layers) && (axes & (PruningAxes.Attention | PruningAxes.Mlp)) != 0)
            throw new MaskException("Masks of whole blocks and of sub-blocks exclude each other. Give layers, or attention and mlp.");
        if (groupSize == 1 && axes.HasFlag(PruningAxes.KeyValueGroups))
            throw new MaskException("In this model every query head has its own key/value head: give query-heads instead of key-value-groups.");
    }
}
