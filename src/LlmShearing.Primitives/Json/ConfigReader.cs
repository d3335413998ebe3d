// Typed access to config.json: every wrong value is refused with the file, the key, the value found and what is needed.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmShearing.Json;

/// <summary>Typed access to the members of a configuration file: every wrong value is refused with the file, the key, the value found and what is needed.</summary>
/// <param name="json">The object to read.</param>
/// <param name="path">File name for messages.</param>
/// <param name="prefix">Put before key names in messages, such as "rope_scaling.".</param>
public readonly struct ConfigReader(JsonObject json, string path, string prefix = "")
{
    /// <summary>File name for messages.</summary>
    public string Path { get; } = path;

    /// <summary>The object that is read.</summary>
    public JsonObject Json { get; } = json;

    /// <summary>Whether the key is there with a value other than null.</summary>
    public bool Has(string key) => Json[key] is not null;

    /// <summary>A whole number of at least 1.</summary>
    /// <param name="key">Name of the member.</param>
    /// <param name="defaultValue">Used when the key is absent or null; null = the key must be there.</param>
    /// <returns>The number.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
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

    /// <summary>A finite number.</summary>
    /// <param name="key">Name of the member.</param>
    /// <returns>Null when the key is absent or null.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
    public double? Double(string key)
    {
        if (Json[key] is not JsonNode node)
            return null;
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double number) && double.IsFinite(number)
            ? number
            : throw Wrong(key, "a number");
    }

    /// <summary>A finite number above 0.</summary>
    /// <param name="key">Name of the member.</param>
    /// <param name="defaultValue">Used when the key is absent or null; null = the key must be there.</param>
    /// <returns>The number.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
    public double PositiveDouble(string key, double? defaultValue)
    {
        double value = Double(key) ?? defaultValue ?? throw Missing(key);
        return value > 0 ? value : throw Wrong(key, "a number above 0");
    }

    /// <summary>True or false.</summary>
    /// <param name="key">Name of the member.</param>
    /// <param name="defaultValue">Used when the key is absent or null.</param>
    /// <returns>The value.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
    public bool Bool(string key, bool defaultValue) => Json[key] switch
    {
        null => defaultValue,
        JsonValue value when value.GetValueKind() is JsonValueKind.True or JsonValueKind.False => value.GetValue<bool>(),
        _ => throw Wrong(key, "true or false"),
    };

    /// <summary>A text.</summary>
    /// <param name="key">Name of the member.</param>
    /// <returns>Null when the key is absent or null.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
    public string? Text(string key) => Json[key] switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
        _ => throw Wrong(key, "a string"),
    };

    /// <summary>A list.</summary>
    /// <param name="key">Name of the member.</param>
    /// <returns>Null when the key is absent or null.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
    public JsonArray? Array(string key) => Json[key] switch
    {
        null => null,
        JsonArray array => array,
        _ => throw Wrong(key, "an array"),
    };

    /// <summary>An object.</summary>
    /// <param name="key">Name of the member.</param>
    /// <returns>To be read like this one; null when the key is absent or null.</returns>
    /// <exception cref="CheckpointException">The value is of another kind.</exception>
    public ConfigReader? Object(string key) => Json[key] switch
    {
        null => null,
        JsonObject value => new ConfigReader(value, Path, prefix + key + "."),
        _ => throw Wrong(key, "an object"),
    };

    /// <summary>The error for a key that must be there.</summary>
    /// <param name="key">Name of the member.</param>
    /// <returns>The exception, to be thrown.</returns>
    public CheckpointException Missing(string key) => Error($"{prefix}{key} is missing.");

    /// <summary>The error for a value that does not do.</summary>
    /// <param name="key">Name of the member.</param>
    /// <param name="needed">What is needed, in words.</param>
    /// <returns>The exception, to be thrown.</returns>
    public CheckpointException Wrong(string key, string needed)
    {
        string text = Json[key]?.ToJsonString() ?? "null";
        return Error($"{prefix}{key} is {(text.Length <= 80 ? text : text[..77] + "...")}; {needed} is needed.");
    }

    /// <summary>An error in this file.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    /// <returns>The exception, to be thrown.</returns>
    public CheckpointException Error(string message) => new($"'{Path}': {message}", Path);
}
