// What makes a shape possible, and how two shapes differ, in words. Sizes from files pass through here before anything is allocated for them.
using System.Collections.Immutable;

namespace LlmShearing.Shapes;

/// <summary>What makes a shape possible, and how two shapes differ, in words.</summary>
public static class ShapeRules
{
    /// <summary>Largest size of one dimension: far above any model, far below what would exhaust memory.</summary>
    public const int MaxSize = 16_777_216;

    /// <summary>Largest number of blocks.</summary>
    public const int MaxLayers = 65_536;

    /// <summary>Most heads and channels over all blocks together (LLaMA 405B has about 7 million).</summary>
    public const long MaxUnits = 67_108_864;

    /// <summary>Refuses a shape that no model can have.</summary>
    /// <param name="shape">The shape.</param>
    /// <exception cref="PlanException">A size is out of range; the message says which.</exception>
    public static void Check(LlamaShape shape)
    {
        CheckSize("vocabulary size", shape.VocabSize);
        CheckSize("hidden size", shape.HiddenSize);
        CheckSize("head dimension", shape.HeadDim);
        if (shape.Layers.IsDefaultOrEmpty || shape.Layers.Length > MaxLayers)
            throw new PlanException($"The shape has {(shape.Layers.IsDefault ? 0 : shape.Layers.Length)} blocks; 1 to {MaxLayers} are possible.");
        long units = 0;
        for (int i = 0; i < shape.Layers.Length; i++)
        {
            CheckLayer(i, shape.Layers[i], shape.HeadDim);
            units += shape.Layers[i].QueryHeads + (long)shape.Layers[i].IntermediateSize;
        }

        if (units > MaxUnits)
            throw new PlanException($"The shape has {units} heads and intermediate channels in all; at most {MaxUnits} are accepted. Check the source sizes.");
    }

    /// <summary>The first dimension in which two shapes differ, in words; null when they are equal.</summary>
    public static string? Difference(LlamaShape expected, LlamaShape found)
    {
        string? head =
            Differ("vocabulary size", expected.VocabSize, found.VocabSize)
            ?? Differ("hidden size", expected.HiddenSize, found.HiddenSize)
            ?? Differ("head dimension", expected.HeadDim, found.HeadDim)
            ?? Differ("number of blocks", expected.Layers.Length, found.Layers.Length)
            ?? Differ("tied embeddings", expected.TiedEmbeddings, found.TiedEmbeddings)
            ?? Differ("q/k/v bias", expected.QueryKeyValueBias, found.QueryKeyValueBias)
            ?? Differ("o bias", expected.OutputBias, found.OutputBias)
            ?? Differ("gate/up/down bias", expected.MlpBias, found.MlpBias);
        for (int i = 0; head is null && i < expected.Layers.Length; i++)
            head = LayerDifference($" of block {i}", expected.Layers[i], found.Layers[i]);
        return head;
    }

    private static string? LayerDifference(string where, LayerShape expected, LayerShape found) =>
        Differ("query heads" + where, expected.QueryHeads, found.QueryHeads)
        ?? Differ("key/value heads" + where, expected.KeyValueHeads, found.KeyValueHeads)
        ?? Differ("intermediate size" + where, expected.IntermediateSize, found.IntermediateSize)
        ?? (expected.Equals(found) ? null : $"query heads per key/value head{where}: expected {Groups(expected)}, found {Groups(found)}");

    private static string Groups(LayerShape layer) => string.Join("+", Enumerable.Range(0, layer.KeyValueHeads).Select(layer.GroupSize));

    private static string? Differ<T>(string what, T expected, T found)
        where T : notnull => expected.Equals(found) ? null : $"{what}: expected {expected}, found {found}";

    private static void CheckSize(string what, int size)
    {
        if (size is < 1 or > MaxSize)
            throw new PlanException($"The {what} is {size}; 1 to {MaxSize} is possible.");
    }

    private static void CheckLayer(int index, LayerShape layer, int headDim)
    {
        if (layer.QueryHeads < 0 || layer.KeyValueHeads < 0 || layer.IntermediateSize is < 0 or > MaxSize || (long)layer.QueryHeads * headDim > MaxSize)
            throw new PlanException($"Block {index} has {layer.QueryHeads} query heads, {layer.KeyValueHeads} key/value heads and intermediate size {layer.IntermediateSize}; each must be 0 or more, and no projection wider than {MaxSize}.");
        if (layer.KeyValueHeads > layer.QueryHeads || (layer.KeyValueHeads == 0 && layer.QueryHeads > 0))
            throw new PlanException($"Block {index} has {layer.KeyValueHeads} key/value heads for {layer.QueryHeads} query heads. Every query head needs one, and every key/value head serves at least one.");
        ImmutableArray<int> groups = layer.GroupSizes;
        if (groups.IsDefaultOrEmpty)
        {
            if (layer.KeyValueHeads > 0 && layer.QueryHeads % layer.KeyValueHeads != 0)
                throw new PlanException($"Block {index} has {layer.QueryHeads} query heads, which do not divide evenly among {layer.KeyValueHeads} key/value heads. Give the group sizes.");
        }
        else if (groups.Length != layer.KeyValueHeads || groups.Any(size => size < 1) || groups.Sum(size => (long)size) != layer.QueryHeads)
        {
            throw new PlanException($"Block {index}: group sizes {string.Join("+", groups.Take(16))} do not give {layer.KeyValueHeads} key/value heads with {layer.QueryHeads} query heads in all.");
        }
    }
}
