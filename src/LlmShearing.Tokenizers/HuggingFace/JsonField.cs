using System.Text.Json;
using LlmShearing.Json;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>A JSON value that knows its place, so that every complaint can name it.</summary>
internal readonly struct JsonField(JsonElement element, string source, string path)
{
    public string Source => source;

    public bool IsString => element.ValueKind == JsonValueKind.String;

    public bool IsObject => element.ValueKind == JsonValueKind.Object;

    /// <summary>"file: path", for messages.</summary>
    public string Place => path.Length == 0 ? source : $"{source}: {path}";

    public TokenizerException Error(string problem, Exception? cause = null) => new($"{Place} {problem}", cause);

    /// <summary>The exception for something of this name that this library does not do.</summary>
    public TokenizerException Unsupported(string kind, string name) => Error($"asks for the {kind} '{name}', which is not supported.");

    /// <summary>A member, or null when it is missing or null.</summary>
    public JsonField? Optional(string name)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Error($"is {Kind()}, expected an object.");
        return element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonField(value, source, path.Length == 0 ? name : $"{path}.{name}")
            : null;
    }

    public JsonField Required(string name) => Optional(name) ?? throw Error($"has no '{name}'.");

    public string Text(string name) => Required(name).AsString();

    public bool Flag(string name, bool defaultValue) => Optional(name)?.AsBool() ?? defaultValue;

    public string AsString()
    {
        if (element.ValueKind != JsonValueKind.String)
            throw Error($"is {Kind()}, expected a string.");
        return element.Text();
    }

    public bool AsBool() => element.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? element.GetBoolean()
        : throw Error($"is {Kind()}, expected true or false.");

    /// <summary>A whole number from 0 up to and including <paramref name="largest"/>.</summary>
    public int AsCount(int largest) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) && value >= 0 && value <= largest
            ? value
            : throw Error($"is {Kind()}, expected a whole number from 0 to {largest}.");

    public IEnumerable<JsonField> Items()
    {
        if (element.ValueKind != JsonValueKind.Array)
            throw Error($"is {Kind()}, expected an array.");
        return Enumerate(element, source, path);

        static IEnumerable<JsonField> Enumerate(JsonElement array, string source, string path)
        {
            int index = 0;
            foreach (JsonElement item in array.EnumerateArray())
                yield return new JsonField(item, source, $"{path}[{index++}]");
        }
    }

    public IEnumerable<(string Name, JsonField Value)> Members()
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Error($"is {Kind()}, expected an object.");
        return Enumerate(element, source, path);

        static IEnumerable<(string Name, JsonField Value)> Enumerate(JsonElement parent, string source, string path)
        {
            foreach (JsonProperty member in parent.EnumerateObject())
                yield return (member.Name, new JsonField(member.Value, source, $"{path}['{member.Name}']"));
        }
    }

    private string Kind() => element.ValueKind switch
    {
        JsonValueKind.Number => $"the number {(element.GetRawText() is { Length: <= 30 } raw ? raw : "(long)")}",
        JsonValueKind.String => "a string",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };
}
