// The rotary part of config.json: rope_theta and rope_scaling (transformers 4), or rope_parameters that holds both (transformers 5).
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Model;

internal static class RopeJson
{
    private const double DefaultTheta = 10000;

    public static (double Theta, RopeScaling Scaling) Read(ConfigReader config)
    {
        ConfigReader? old = config.Object("rope_scaling"), nested = config.Object("rope_parameters");
        double? theta = config.Has("rope_theta") ? config.PositiveDouble("rope_theta", null) : null;
        (double? Theta, RopeScaling Scaling)? fromOld = old is { } o ? ReadObject(o, "rope_scaling", typeRequired: true) : null;
        (double? Theta, RopeScaling Scaling)? fromNested = nested is { } n ? ReadObject(n, "rope_parameters", typeRequired: false) : null;
        if (fromOld is not null && fromNested is not null && fromOld.Value.Scaling != fromNested.Value.Scaling)
            throw config.Error("rope_scaling and rope_parameters say different things. Remove one of them.");
        double?[] thetas = [.. new[] { theta, fromNested?.Theta, fromOld?.Theta }.Where(t => t is not null).Distinct()];
        if (thetas.Length > 1)
            throw config.Error($"rope_theta is given as {thetas[0]} and, inside the rope settings, as {thetas[1]}. Remove one of them.");
        return (thetas.Length == 1 ? thetas[0]!.Value : DefaultTheta, fromNested?.Scaling ?? fromOld?.Scaling ?? new RopeScaling(RopeType.Default));
    }

    /// <summary>The value of rope_scaling in the spelling of transformers 4.43 and later; null for no scaling.</summary>
    public static JsonObject? Write(RopeScaling scaling) => scaling.Type switch
    {
        RopeType.Default => null,
        RopeType.Linear => new JsonObject { ["rope_type"] = "linear", ["factor"] = scaling.Factor },
        RopeType.Dynamic => new JsonObject { ["rope_type"] = "dynamic", ["factor"] = scaling.Factor },
        _ => new JsonObject
        {
            ["rope_type"] = "llama3",
            ["factor"] = scaling.Factor,
            ["low_freq_factor"] = scaling.LowFrequencyFactor,
            ["high_freq_factor"] = scaling.HighFrequencyFactor,
            ["original_max_position_embeddings"] = scaling.OriginalMaxPositionEmbeddings,
        },
    };

    private static (double? Theta, RopeScaling Scaling) ReadObject(ConfigReader rope, string key, bool typeRequired)
    {
        foreach ((string name, JsonNode? value) in rope.Json)
            if (value is JsonObject)
                throw rope.Error($"{key} has separate settings for '{name}'. Rotary settings that differ between layers are not supported.");
        if (rope.Has("partial_rotary_factor") && rope.Double("partial_rotary_factor") != 1)
            throw rope.Wrong("partial_rotary_factor", "a fully rotary model (1, or no such key)");
        string? type = rope.Text("rope_type"), legacy = rope.Text("type");
        if (type is not null && legacy is not null && type != legacy)
            throw rope.Error($"{key} has rope_type '{type}' and type '{legacy}'. Remove one of them.");
        type ??= legacy ?? (typeRequired ? throw rope.Missing("rope_type") : "default");
        double? theta = rope.Has("rope_theta") ? rope.PositiveDouble("rope_theta", null) : null;
        return (theta, type switch
        {
            "default" => new RopeScaling(RopeType.Default),
            "linear" => new RopeScaling(RopeType.Linear, Factor(rope)),
            "dynamic" => new RopeScaling(RopeType.Dynamic, Factor(rope)),
            "llama3" => ReadLlama3(rope),
            _ => throw rope.Error($"{key} has the rope type '{type}', which is not supported. Supported are default, linear, dynamic and llama3."),
        });
    }

    private static RopeScaling ReadLlama3(ConfigReader rope)
    {
        double low = rope.PositiveDouble("low_freq_factor", null), high = rope.PositiveDouble("high_freq_factor", null);
        if (high <= low)
            throw rope.Wrong("high_freq_factor", $"a number above low_freq_factor {low}");
        return new RopeScaling(RopeType.Llama3, Factor(rope), low, high, rope.PositiveInt("original_max_position_embeddings", null));
    }

    private static double Factor(ConfigReader rope)
    {
        double factor = rope.Double("factor") ?? throw rope.Missing("factor");
        return factor >= 1 ? factor : throw rope.Wrong("factor", "a number of at least 1");
    }
}
