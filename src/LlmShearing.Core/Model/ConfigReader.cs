// Typed access to config.json: every wrong value is refused with the file, the key, the value found and what is needed.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmShearing;

/// <param name="json">The object to read.</param>
/// <param name="path">File name for messages.</param>
/// <param name="prefix">Put before key names in messages, such as "rope_scaling.".</param>
internal readonly struct ConfigReader(JsonObject json, string path, string prefix = "")
{
    public string Path { get; } = path;

    public JsonObject Json { get; } = json;

    /// <summary>Whether the key is there with a value other than null.</summary>
    public bool Has(string key) => Json[key] is not null;

    public int PositiveInt(string key, int? defaultValue)
    {
        int value = Int(key) ?? defaultValue ?? throw Missing(key);
        return value > 0 ? value : throw Wrong(key, "a whole number of at least 1");
    }

    /// <summary>The number, or null when the key is absent or null.</summary>
    public int? Int(string key)
    {
        if (Json[key] is not JsonNode node)
            return null;
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out int number)
            ? number
            : throw Wrong(key, "a whole number");
    }

    public double? Double(string key)
    {
        if (Json[key] is not JsonNode node)
            return null;
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double number) && double.IsFinite(number)
            ? number
            : throw Wrong(key, "a number");
    }

    public double PositiveDouble(string key, double? defaultValue)
    {
        double value = Double(key) ?? defaultValue ?? throw Missing(key);
        return value > 0 ? value : throw Wrong(key, "a number above 0");
    }

    public bool Bool(string key, bool defaultValue) => Json[key] switch
    {
        null => defaultValue,
        JsonValue value when value.GetValueKind() is JsonValueKind.True or JsonValueKind.False => value.GetValue<bool>(),
        _ => throw Wrong(key, "true or false"),
    };

    public string? Text(string key) => Json[key] switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
        _ => throw Wrong(key, "a string"),
    };

    public JsonArray? Array(string key) => Json[key] switch
    {
        null => null,
        JsonArray array => array,
        _ => throw Wrong(key, "an array"),
    };

    public ConfigReader? Object(string key) => Json[key] switch
    {
        null => null,
        JsonObject value => new ConfigReader(value, Path, prefix + key + "."),
        _ => throw Wrong(key, "an object"),
    };

    public CheckpointException Missing(string key) => Error($"{prefix}{key} is missing.");

    public CheckpointException Wrong(string key, string needed)
    {
        string text = Json[key]?.ToJsonString() ?? "null";
        return Error($"{prefix}{key} is {(text.Length <= 80 ? text : text[..77] + "...")}; {needed} is needed.");
    }

    public CheckpointException Error(string message) => new($"'{Path}': {message}", Path);
}
