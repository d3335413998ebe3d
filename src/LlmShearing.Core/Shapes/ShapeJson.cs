// A shape inside a plan or scores file. Equal neighbouring blocks are written once, with a count.
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Shapes;

/// <summary>Shapes in JSON; equal blocks in a row are written once.</summary>
public static class ShapeJson
{
    /// <summary>Writes a shape as the value that comes next.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="shape">The shape.</param>
    public static void Write(Utf8JsonWriter writer, LlamaShape shape)
    {
        writer.WriteStartObject();
        writer.WriteNumber("vocab_size", shape.VocabSize);
        writer.WriteNumber("hidden_size", shape.HiddenSize);
        writer.WriteNumber("head_dim", shape.HeadDim);
        writer.WriteBoolean("tied_embeddings", shape.TiedEmbeddings);
        writer.WriteBoolean("query_key_value_bias", shape.QueryKeyValueBias);
        writer.WriteBoolean("output_bias", shape.OutputBias);
        writer.WriteBoolean("mlp_bias", shape.MlpBias);
        writer.WriteStartArray("layers");
        for (int i = 0; i < shape.Layers.Length;)
        {
            int end = i + 1;
            while (end < shape.Layers.Length && shape.Layers[end].Equals(shape.Layers[i]))
                end++;
            WriteLayer(writer, shape.Layers[i], end - i);
            i = end;
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>The shape as a node of a larger document.</summary>
    public static JsonNode ToNode(LlamaShape shape)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
            Write(writer, shape);
        return SafeJson.Node(buffer.ToArray())!;
    }

    /// <summary>Reads a shape.</summary>
    /// <param name="json">Its object.</param>
    /// <returns>The shape, which is possible (<see cref="ShapeRules"/>).</returns>
    /// <exception cref="FormatException">A member is missing or wrong.</exception>
    public static LlamaShape Read(StrictJson json)
    {
        var layers = ImmutableArray.CreateBuilder<LayerShape>();
        foreach (StrictJson run in json.Objects("layers", ShapeRules.MaxLayers))
        {
            int count = run.Has("count") ? run.Int("count", 1, ShapeRules.MaxLayers) : 1;
            if (layers.Count + count > ShapeRules.MaxLayers)
                throw run.Error("count", $"gives more than {ShapeRules.MaxLayers} blocks in all");
            LayerShape layer = ReadLayer(run);
            layers.AddRange(Enumerable.Repeat(layer, count));
        }

        var shape = new LlamaShape
        {
            VocabSize = json.Int("vocab_size", 1, ShapeRules.MaxSize),
            HiddenSize = json.Int("hidden_size", 1, ShapeRules.MaxSize),
            HeadDim = json.Int("head_dim", 1, ShapeRules.MaxSize),
            TiedEmbeddings = json.Bool("tied_embeddings"),
            QueryKeyValueBias = json.Bool("query_key_value_bias"),
            OutputBias = json.Bool("output_bias"),
            MlpBias = json.Bool("mlp_bias"),
            Layers = layers.ToImmutable(),
        };
        json.End();
        ShapeRules.Check(shape);
        return shape;
    }

    private static void WriteLayer(Utf8JsonWriter writer, LayerShape layer, int count)
    {
        writer.WriteStartObject();
        if (count > 1)
            writer.WriteNumber("count", count);
        writer.WriteNumber("query_heads", layer.QueryHeads);
        writer.WriteNumber("key_value_heads", layer.KeyValueHeads);
        writer.WriteNumber("intermediate_size", layer.IntermediateSize);
        if (!layer.HasEqualGroups)
        {
            writer.WriteStartArray("group_sizes");
            foreach (int size in layer.GroupSizes)
                writer.WriteNumberValue(size);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static LayerShape ReadLayer(StrictJson json)
    {
        var layer = new LayerShape(
            json.Int("query_heads", 0, ShapeRules.MaxSize),
            json.Int("key_value_heads", 0, ShapeRules.MaxSize),
            json.Int("intermediate_size", 0, ShapeRules.MaxSize));
        if (json.Has("group_sizes"))
            layer = layer with { GroupSizes = [.. json.Ints("group_sizes", layer.KeyValueHeads)] };
        json.End();
        return layer;
    }
}
