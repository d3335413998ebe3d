namespace LlmShearing.Model;

/// <summary>
/// The smallest uniform shape into which a model with differing layers fits when it is filled up with zeros: every layer gets the largest
/// number of key/value heads, each with the largest group, and the largest intermediate size. For a uniform shape it is the shape itself.
/// </summary>
internal static class PaddedShape
{
    public static LlamaShape Of(LlamaShape shape)
    {
        if (shape.IsUniform)
            return shape;
        int keyValueHeads = 1, group = 1, intermediate = 1;
        foreach (LayerShape layer in shape.Layers)
        {
            keyValueHeads = Math.Max(keyValueHeads, layer.KeyValueHeads);
            intermediate = Math.Max(intermediate, layer.IntermediateSize);
            for (int head = 0; head < layer.KeyValueHeads; head++)
                group = Math.Max(group, layer.GroupSize(head));
        }

        return shape with { Layers = [.. shape.Layers.Select(_ => new LayerShape(checked(keyValueHeads * group), keyValueHeads, intermediate))] };
    }
}
