// Our extension of config.json for models whose layers differ: {"llm_shearing": {"version": 1, "layers": [{"num_attention_heads": 4,
// "num_key_value_heads": 2, "intermediate_size": 96, "query_heads_per_key_value_head": [3, 1]}, ...]}}. The last key is present only
// when key/value heads serve different numbers of query heads; zeros mean that a sub-block is absent.
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Model;

internal static class LayerSizesJson
{
    private const int Version = 1;
    private const string Heads = "num_attention_heads", KeyValueHeads = "num_key_value_heads", Intermediate = "intermediate_size", Groups = "query_heads_per_key_value_head";

    public static ImmutableArray<LayerShape>? Read(ConfigReader config, int layers, int maxHeads, int maxKeyValueHeads, int maxIntermediate)
    {
        if (config.Object(LlamaConfigJson.ExtensionKey) is not ConfigReader extension)
            return null;
        RefuseUnknown(extension, "version", "layers");
        if (extension.Int("version") != Version)
            throw extension.Wrong("version", $"version {Version}");
        JsonArray array = extension.Array("layers") ?? throw extension.Missing("layers");
        if (array.Count != layers)
            throw extension.Error($"{LlamaConfigJson.ExtensionKey}.layers has {array.Count} entries; num_hidden_layers is {layers}.");
        var shapes = ImmutableArray.CreateBuilder<LayerShape>(layers);
        for (int i = 0; i < layers; i++)
        {
            string where = $"{LlamaConfigJson.ExtensionKey}.layers[{i}]";
            if (array[i] is not JsonObject entry)
                throw extension.Error($"{where} is not an object.");
            var reader = new ConfigReader(entry, config.Path, where + ".");
            RefuseUnknown(reader, Heads, KeyValueHeads, Intermediate, Groups);
            shapes.Add(new LayerShape(Size(reader, Heads, maxHeads), Size(reader, KeyValueHeads, maxKeyValueHeads), Size(reader, Intermediate, maxIntermediate)) { GroupSizes = ReadGroups(reader) });
        }

        return shapes.ToImmutable();
    }

    public static JsonObject Write(LlamaShape shape) => new()
    {
        ["version"] = Version,
        ["layers"] = new JsonArray([.. shape.Layers.Select(WriteLayer)]),
    };

    private static JsonNode WriteLayer(LayerShape layer)
    {
        var json = new JsonObject
        {
            [Heads] = layer.QueryHeads,
            [KeyValueHeads] = layer.KeyValueHeads,
            [Intermediate] = layer.IntermediateSize,
        };
        if (!layer.HasEqualGroups)
            json[Groups] = new JsonArray([.. layer.GroupSizes.Select(size => (JsonNode)size)]);
        return json;
    }

    private static int Size(ConfigReader reader, string key, int max)
    {
        int value = reader.Int(key) ?? throw reader.Missing(key);
        return value >= 0 && value <= max ? value : throw reader.Wrong(key, $"0 to {max} (the value at the top of config.json)");
    }

    private static ImmutableArray<int> ReadGroups(ConfigReader reader)
    {
        if (reader.Array(Groups) is not JsonArray array)
            return default;
        var sizes = ImmutableArray.CreateBuilder<int>(array.Count);
        foreach (JsonNode? node in array)
            sizes.Add(node is JsonValue value && value.TryGetValue(out int size) && size > 0 ? size : throw reader.Wrong(Groups, "a list of whole numbers of at least 1"));
        return sizes.ToImmutable();
    }

    private static void RefuseUnknown(ConfigReader reader, params string[] known)
    {
        foreach ((string key, _) in reader.Json)
            if (!known.Contains(key))
                throw reader.Error($"'{key}' is not known in {LlamaConfigJson.ExtensionKey}. The file was written by a newer release, or by hand.");
    }
}
