// The settings file of `shear run`: one model, one target, one set of data, and what differs between learning and continued pretraining.
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;

namespace LlmShearing.Cli.Commands;

/// <summary>What a recipe comes to: options of `shear learn` and of `shear train`, without dashes.</summary>
/// <param name="Model">Folder of the source model.</param>
/// <param name="HeldOut">Held-out token rows, or null.</param>
/// <param name="Learn">Options of mask learning.</param>
/// <param name="Continue">Options of continued pretraining.</param>
internal sealed record ShearingRecipe(string Model, string? HeldOut, JsonObject Learn, JsonObject Continue)
{
    private static readonly string[] Members = ["preset", "model", "data", "held-out", "proportions", "reference-losses", "target", "learn", "continue"];

    /// <summary>Names of the presets in this tool.</summary>
    public static IReadOnlyList<string> Presets { get; } =
        [.. typeof(ShearingRecipe).Assembly.GetManifestResourceNames().Where(n => n.StartsWith("presets/", StringComparison.Ordinal)).Select(n => Path.GetFileNameWithoutExtension(n)).Order(StringComparer.Ordinal)];

    /// <summary>Reads a recipe and puts it over its preset.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="UsageException">It is no recipe; the message names the member.</exception>
    public static ShearingRecipe Read(string path)
    {
        JsonObject recipe = Parse(InputFile.Text(path), path);
        if (recipe.Select(m => m.Key).FirstOrDefault(m => !Members.Contains(m)) is { } unknown)
            throw new UsageException($"{path}: '{unknown}' is no member of a recipe. Members: {string.Join(", ", Members)}; settings of the stages go into learn and continue.");
        if (Text(recipe, "preset", path) is { } name)
            recipe = Over(Preset(name), recipe);
        string model = Text(recipe, "model", path) ?? throw new UsageException($"{path} names no model. Give \"model\": \"FOLDER\".");
        JsonObject target = Object(recipe, "target", path), learn = Object(recipe, "learn", path), after = Object(recipe, "continue", path);
        foreach (string shared in new[] { "data", "held-out" })
            if (Text(recipe, shared, path) is { } folder)
            {
                learn.TryAdd(shared, folder);
                after.TryAdd(shared, folder);
            }

        if (recipe["proportions"] is { } proportions)
            learn.TryAdd("proportions", proportions is JsonObject shares ? string.Join(',', shares.Select(p => $"{p.Key}={p.Value}")) : proportions.DeepClone());
        if (recipe["reference-losses"] is { } losses)
            foreach (JsonObject stage in new[] { learn, after })
            {
                stage.TryAdd("reference-losses", losses.DeepClone());
                stage.TryAdd("sampler", "reference-loss");
            }

        foreach ((string member, JsonNode? value) in target)
            learn.TryAdd(member, value?.DeepClone());
        // Another order of the data than while masks were learned, whose first samples would come again.
        int seed = learn["seed"] is JsonValue given && given.TryGetValue(out int s) ? s : TrainingOptions.DefaultSeed;
        after.TryAdd("seed", seed == int.MaxValue ? 0 : seed + 1);
        return new ShearingRecipe(model, Text(recipe, "held-out", path), learn, after);
    }

    public JsonObject Json() => new() { ["model"] = Model, ["learn"] = Learn.DeepClone(), ["continue"] = Continue.DeepClone() };

    private static JsonObject Preset(string name)
    {
        using Stream stream = typeof(ShearingRecipe).Assembly.GetManifestResourceStream($"presets/{name}.json")
            ?? throw new UsageException($"There is no preset '{name}'. Presets: {string.Join(", ", Presets)}.");
        using var reader = new StreamReader(stream);
        return Parse(reader.ReadToEnd(), name);
    }

    private static JsonObject Parse(string text, string path)
    {
        try
        {
            return SafeJson.Node(text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false }) as JsonObject
                ?? throw new UsageException($"{path}: expected a JSON object with {string.Join(", ", Members)}.");
        }
        catch (JsonException e)
        {
            throw new UsageException($"{path} is not valid JSON: {e.Message}", e);
        }
    }

    // What the recipe says wins, stage by stage and setting by setting.
    private static JsonObject Over(JsonObject preset, JsonObject recipe)
    {
        foreach ((string name, JsonNode? value) in recipe)
            if (name is "target" or "learn" or "continue" && preset[name] is JsonObject below && value is JsonObject above)
                foreach ((string setting, JsonNode? wanted) in above)
                    below[setting] = wanted?.DeepClone();
            else
                preset[name] = value?.DeepClone();
        return preset;
    }

    private static string? Text(JsonObject recipe, string member, string path) => recipe[member] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) && text.Length > 0 => text,
        var other => throw new UsageException($"{path}: '{member}' is {other.ToJsonString()}; expected a text."),
    };

    private static JsonObject Object(JsonObject recipe, string member, string path) => recipe[member] switch
    {
        null => [],
        JsonObject value => value.DeepClone().AsObject(),
        var other => throw new UsageException($"{path}: '{member}' is {other.ToJsonString()}; expected an object of settings."),
    };
}
