// Making a shape to aim at: sizes by axis, checked against the source, so that mistakes show before any scoring.
using LlmShearing.Shapes;

namespace LlmShearing.Planning;

/// <summary>How the number of query heads is reduced where several share a key/value head.</summary>
public enum HeadPruning
{
    /// <summary>Whole key/value heads go with all their query heads; the group size stays.</summary>
    KeyValueGroups,

    /// <summary>All key/value heads stay; each serves fewer query heads.</summary>
    WithinGroups,
}

/// <summary>Sizes wanted of every layer; null keeps what the source has.</summary>
public sealed record TargetSizes
{
    /// <summary>Blocks.</summary>
    public int? Layers { get; init; }

    /// <summary>Residual channels.</summary>
    public int? Hidden { get; init; }

    /// <summary>Query heads of every layer.</summary>
    public int? QueryHeads { get; init; }

    /// <summary>Key/value heads of every layer; null = derived from the query heads by <see cref="Heads"/>.</summary>
    public int? KeyValueHeads { get; init; }

    /// <summary>Intermediate channels of every layer.</summary>
    public int? Intermediate { get; init; }

    /// <summary>What gives way when only query heads are named.</summary>
    /// <value>Default: whole key/value groups.</value>
    public HeadPruning Heads { get; init; }
}

/// <summary>Makes target shapes for width pruning.</summary>
public static class TargetShape
{
    /// <summary>The source shape with other sizes.</summary>
    /// <param name="source">Shape of the model; all of its blocks equal.</param>
    /// <param name="sizes">Sizes wanted.</param>
    /// <returns>A uniform shape that a plan from <paramref name="source"/> can reach.</returns>
    /// <exception cref="PlanException">A size is below 1 or above the source's, or heads do not divide; the message names the axis and both numbers.</exception>
    public static LlamaShape Of(LlamaShape source, TargetSizes sizes)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(sizes);
        LayerShape layer = UniformLayer(source);
        int layers = Within("layers", sizes.Layers, source.Layers.Length);
        int intermediate = Within("intermediate", sizes.Intermediate, layer.IntermediateSize);
        (int query, int keyValue) = Heads(layer, sizes);
        return source with
        {
            HiddenSize = Within("hidden", sizes.Hidden, source.HiddenSize),
            Layers = [.. Enumerable.Repeat(new LayerShape(query, keyValue, intermediate), layers)],
        };
    }

    /// <summary>The source shape with floor(size · ratio) units fewer on each of the given axes (LLM-Pruner's count), at least one staying on each.</summary>
    /// <param name="source">Shape of the model; all of its blocks equal.</param>
    /// <param name="axes">Any of Hidden, Intermediate, Layers, QueryHeads (fewer in each group) and KeyValueGroups (whole groups; wins when both are given).</param>
    /// <param name="ratio">Share to remove, in [0, 1). Exact decimal arithmetic: 0.7 of 10 is 7.</param>
    /// <returns>A uniform shape.</returns>
    /// <exception cref="PlanException">The ratio is out of range, an axis has no size to reduce, or the source is not uniform.</exception>
    public static LlamaShape Reduce(LlamaShape source, PruningAxes axes, double ratio)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (!(ratio >= 0 && ratio < 1))
            throw new PlanException($"Ratio {ratio} is not in [0, 1). Give the share to remove, for example 0.2.");
        const PruningAxes known = PruningAxes.Width | PruningAxes.Layers;
        if (axes == PruningAxes.None || (axes & ~known) != 0)
            throw new PlanException($"Axes '{axes}' have no size to reduce by a ratio. Choose among {known}.");
        LayerShape layer = UniformLayer(source);
        bool groups = axes.HasFlag(PruningAxes.KeyValueGroups);
        bool heads = axes.HasFlag(PruningAxes.QueryHeads);
        int groupSize = layer.QueryHeads / layer.KeyValueHeads;
        // One query head to a group leaves nothing to choose within groups: a head is a group.
        bool within = heads && !groups && groupSize > 1;
        int keyValue = groups || (heads && !within) ? Left(layer.KeyValueHeads, ratio) : layer.KeyValueHeads;
        return Of(source, new TargetSizes
        {
            Hidden = axes.HasFlag(PruningAxes.Hidden) ? Left(source.HiddenSize, ratio) : null,
            Intermediate = axes.HasFlag(PruningAxes.Intermediate) ? Left(layer.IntermediateSize, ratio) : null,
            Layers = axes.HasFlag(PruningAxes.Layers) ? Left(source.Layers.Length, ratio) : null,
            KeyValueHeads = keyValue,
            QueryHeads = keyValue * (within ? Left(groupSize, ratio) : groupSize),
        });
    }

    private static int Left(int size, double ratio) => Math.Max(1, size - (int)Math.Floor(size * (decimal)ratio));

    private static LayerShape UniformLayer(LlamaShape source)
    {
        ShapeRules.Check(source);
        return source.IsUniform
            ? source.Layers[0]
            : throw new PlanException("The blocks of the source differ in shape, so one set of sizes cannot describe a target. Build the target shape layer by layer.");
    }

    private static (int Query, int KeyValue) Heads(LayerShape layer, TargetSizes sizes)
    {
        int groupSize = layer.QueryHeads / layer.KeyValueHeads;
        int query, keyValue;
        if (sizes.QueryHeads is not int wanted)
        {
            keyValue = Within("key/value heads", sizes.KeyValueHeads, layer.KeyValueHeads);
            return (keyValue * groupSize, keyValue);
        }

        query = Within("query heads", wanted, layer.QueryHeads);
        if (sizes.KeyValueHeads is int named)
            keyValue = Within("key/value heads", named, layer.KeyValueHeads);
        else if (sizes.Heads == HeadPruning.WithinGroups)
            keyValue = layer.KeyValueHeads;
        else if (query % groupSize == 0)
            keyValue = query / groupSize;
        else
            throw new PlanException($"query heads: {query} is not a multiple of the {groupSize} that share a key/value head, so whole groups cannot give it. Choose a multiple, or prune within groups.");
        if (query % keyValue != 0 || query / keyValue > groupSize)
            throw new PlanException($"query heads: {query} cannot be shared by {keyValue} key/value heads: each must serve equally many, at most {groupSize}. Choose a multiple of {keyValue} up to {keyValue * groupSize}.");
        return (query, keyValue);
    }

    private static int Within(string axis, int? wanted, int available)
    {
        int size = wanted ?? available;
        return size >= 1 && size <= available
            ? size
            : throw new PlanException($"{axis}: {size} wanted, the source has {available}. Give 1 to {available}.");
    }
}
