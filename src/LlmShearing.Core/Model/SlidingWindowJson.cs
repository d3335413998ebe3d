// Which layers attend through a sliding window. Every model type says it differently: llama never slides; mistral slides everywhere or
// nowhere; qwen2 slides where layer_types says so, else from layer max_window_layers on, and only with use_sliding_window.
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Model;

internal static class SlidingWindowJson
{
    private const string Full = "full_attention", Sliding = "sliding_attention";
    private const int DefaultWindow = 4096, DefaultMaxWindowLayers = 28;

    /// <summary>Windows by layer in tokens; uninitialised when no layer slides.</summary>
    public static ImmutableArray<int?> Read(ConfigReader config, string modelType, int layers)
    {
        bool[]? types = ReadLayerTypes(config, layers);
        int? window = modelType switch
        {
            "mistral" => Window(config),
            "qwen2" when config.Bool("use_sliding_window", false) => Window(config),
            _ => null,
        };
        if (modelType != "qwen2" && types is not null && types.Any(slides => slides != (window is not null)))
            throw config.Error($"layer_types does not agree with the attention of model type '{modelType}', where {(window is null ? "no layer slides" : "every layer slides")}.");
        if (window is null)
            return default;
        int firstSliding = modelType == "qwen2" ? config.Int("max_window_layers") ?? DefaultMaxWindowLayers : 0;
        ImmutableArray<int?> windows = [.. Enumerable.Range(0, layers).Select(i => (types?[i] ?? i >= firstSliding) ? window : null)];
        return windows.Any(w => w is not null) ? windows : default;
    }

    /// <summary>Brings layer_types, sliding_window, use_sliding_window and max_window_layers in step with the configuration.</summary>
    public static void Write(LlamaConfig config, JsonObject json)
    {
        int layers = config.Shape.Layers.Length;
        int?[] windows = [.. Enumerable.Range(0, layers).Select(config.SlidingWindow)];
        if (!config.SlidingWindows.IsDefaultOrEmpty && config.SlidingWindows.Length != layers)
            throw new CheckpointException($"The configuration has {config.SlidingWindows.Length} sliding windows for {layers} layers.");
        int?[] used = [.. windows.Where(w => w is not null).Distinct()];
        if (used.Length > 1)
            throw new CheckpointException($"Layers with sliding windows of {used[0]} and {used[1]} tokens cannot be written to one config.json.");
        int? window = used.Length == 1 ? used[0] : null;
        int firstSliding = Array.FindIndex(windows, w => w is not null);
        switch (config.ModelType)
        {
            case "mistral" when window is not null && windows.Contains(null):
            case "llama" when window is not null:
                throw new CheckpointException($"Model type '{config.ModelType}' cannot say that only some layers have a sliding window. Use qwen2.");
            case "mistral":
                json["sliding_window"] = window;
                break;
            case "qwen2" when window is not null:
                json["use_sliding_window"] = true;
                json["sliding_window"] = window;
                json["max_window_layers"] = firstSliding;
                break;
            case "qwen2":
                json["use_sliding_window"] = false;
                break;
        }

        // Older readers know only max_window_layers, newer ones prefer layer_types: both are written when one is not enough.
        if (json.ContainsKey("layer_types") || (window is not null && windows.AsSpan(firstSliding).Contains(null)))
            json["layer_types"] = new JsonArray([.. windows.Select(w => (JsonNode)(w is null ? Full : Sliding))]);
    }

    private static bool[]? ReadLayerTypes(ConfigReader config, int layers)
    {
        if (config.Array("layer_types") is not JsonArray array)
            return null;
        if (array.Count != layers)
            throw config.Error($"layer_types has {array.Count} entries; num_hidden_layers is {layers}.");
        bool[] slides = new bool[layers];
        for (int i = 0; i < layers; i++)
            slides[i] = array[i] is JsonValue value && value.TryGetValue(out string? text) && text is Full or Sliding
                ? text == Sliding
                : throw config.Error($"layer_types[{i}] is {array[i]?.ToJsonString() ?? "null"}; {Full} and {Sliding} are supported.");
        return slides;
    }

    private static int? Window(ConfigReader config) =>
        config.Json.ContainsKey("sliding_window") && !config.Has("sliding_window") ? null : config.PositiveInt("sliding_window", DefaultWindow);
}
