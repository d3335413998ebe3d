// adapter_config.json <-> LoraOptions. What changes the computation and is not supported here is refused by name; other unknown keys are ignored, as PEFT does.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Lora;

internal static class PeftConfig
{
    public const string FileName = "adapter_config.json";

    /// <summary>What PEFT aims at in this family when nothing is said.</summary>
    private static readonly string[] DefaultTargets = ["q_proj", "v_proj"];

    // Ways to begin that leave the base weights alone; the others (pissa, olora, loftq, ...) change them, so that their adapters belong to another base.
    private static readonly string[] HarmlessInits = ["gaussian", "eva", "orthogonal"];

    private static readonly string[] MustBeFalse = ["use_dora", "lora_bias", "use_qalora", "use_bdlora"];

    private static readonly string[] MustBeAbsent =
    [
        "alora_invocation_tokens", "arrow_config", "kasa_config", "layer_replication", "megatron_config", "monteclora_config", "target_parameters",
        "trainable_token_indices", "use_bdlora", "velora_config",
    ];

    public static LoraOptions Read(string path)
    {
        var json = new ConfigReader(JsonFile.ReadObject(path), path);
        if (json.Text("peft_type") is var type && type != "LORA")
            throw json.Wrong("peft_type", "\"LORA\"");
        if (json.Text("task_type") is not (null or "CAUSAL_LM"))
            throw json.Wrong("task_type", "\"CAUSAL_LM\"");
        RefuseUnsupported(json);
        (IReadOnlyList<string>? modules, string? pattern) = Names(json, "target_modules");
        (IReadOnlyList<string>? exclude, string? excludePattern) = Names(json, "exclude_modules");
        var options = new LoraOptions
        {
            Rank = json.PositiveInt("r", 8),
            Alpha = json.PositiveDouble("lora_alpha", 8),
            Dropout = json.Double("lora_dropout") ?? 0,
            UseRsLora = json.Bool("use_rslora", false),
            TargetModules = modules is null && pattern is null ? DefaultTargets : modules,
            TargetPattern = pattern,
            ExcludeModules = exclude,
            ExcludePattern = excludePattern,
            LayersToTransform = Layers(json),
            LayersPattern = One(json, "layers_pattern"),
            RankPattern = Pattern(json, "rank_pattern", (values, key) => values.PositiveInt(key, null)),
            AlphaPattern = Pattern(json, "alpha_pattern", (values, key) => values.PositiveDouble(key, null)),
            ModulesToSave = One(json, "modules_to_save"),
            Init = json.Json["init_lora_weights"] is JsonValue init && init.TryGetValue(out string? name) && name == "gaussian" ? LoraInit.Gaussian : LoraInit.Kaiming,
            BaseModel = json.Text("base_model_name_or_path"),
        };
        return options.Problems() is { Count: > 0 } problems ? throw json.Error(string.Join(" ", problems)) : options;
    }

    /// <summary>The file's content: the keys that every version of PEFT since 0.8 knows, and later ones only where they say something.</summary>
    public static JsonObject Write(LoraOptions options, LoraLayout layout, string baseModel)
    {
        var keys = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal)
        {
            ["alpha_pattern"] = Object(options.AlphaPattern, v => JsonValue.Create(v)),
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = options.BaseModel ?? baseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = options.Init == LoraInit.Gaussian ? "gaussian" : true,
            ["layers_pattern"] = Array(options.LayersPattern),
            ["layers_to_transform"] = options.LayersToTransform is { } layers ? new JsonArray([.. layers.Select(i => JsonValue.Create(i))]) : null,
            ["loftq_config"] = new JsonObject(),
            ["lora_alpha"] = options.Alpha,
            ["lora_dropout"] = options.Dropout,
            ["megatron_config"] = null,
            ["megatron_core"] = "megatron.core",
            ["modules_to_save"] = Array(options.ModulesToSave),
            ["peft_type"] = "LORA",
            ["r"] = options.Rank,
            ["rank_pattern"] = Object(options.RankPattern, v => JsonValue.Create(v)),
            ["revision"] = null,
            ["target_modules"] = Targets(options, layout),
            ["task_type"] = "CAUSAL_LM",
            ["use_rslora"] = options.UseRsLora,
        };
        if (options.ExcludeModules is not null || options.ExcludePattern is not null)
            keys["exclude_modules"] = options.ExcludePattern is { } exclude ? exclude : Array(options.ExcludeModules);
        return new JsonObject(keys);
    }

    // "All linear" is written as the names that it stands for, as PEFT does.
    private static JsonNode Targets(LoraOptions options, LoraLayout layout) =>
        options.TargetModules is { } names ? Array(names)!
        : options.TargetPattern is not (null or LoraOptions.AllLinear) ? options.TargetPattern
        : Array([.. layout.Targets.Select(t => t.Module[(t.Module.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal)])!;

    private static void RefuseUnsupported(ConfigReader json)
    {
        if (json.Text("bias") is not (null or "none"))
            throw json.Error($"bias is \"{json.Text("bias")}\": adapters with trained biases are not supported. Train with bias \"none\", or merge the adapter with PEFT.");
        foreach (string key in MustBeFalse)
            if (json.Json[key] is JsonValue value && value.GetValueKind() == JsonValueKind.True)
                throw Unsupported(json, key);
        foreach (string key in MustBeAbsent)
            if (json.Json[key] is { } node && !(node is JsonValue v && v.GetValueKind() == JsonValueKind.False) && node is not (JsonArray { Count: 0 } or JsonObject { Count: 0 }))
                throw Unsupported(json, key);
        if (json.Json["loftq_config"] is JsonObject { Count: > 0 })
            throw Unsupported(json, "loftq_config");
        if (json.Json["init_lora_weights"] is JsonValue init && init.GetValueKind() == JsonValueKind.String && !HarmlessInits.Contains(init.GetValue<string>(), StringComparer.Ordinal))
            throw json.Error($"init_lora_weights is \"{init.GetValue<string>()}\", which changes the base weights, so that the adapter does not fit the plain base model. Convert it to an ordinary adapter with PEFT when saving.");
    }

    private static CheckpointException Unsupported(ConfigReader json, string key) =>
        json.Error($"{key} is set: such adapters compute something else and are not supported. Merge the adapter with PEFT and use the merged model.");

    /// <summary>Names as a list, or one expression.</summary>
    private static (IReadOnlyList<string>? Names, string? Pattern) Names(ConfigReader json, string key) => json.Json[key] switch
    {
        null => (null, null),
        JsonArray array => (Strings(json, key, array), null),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => (null, value.GetValue<string>()),
        _ => throw json.Wrong(key, "a list of names or an expression"),
    };

    private static IReadOnlyList<string>? One(ConfigReader json, string key) => Names(json, key) switch
    {
        (null, null or "") => null,
        (null, string one) => [one],
        (var names, _) => names!.Count == 0 ? null : names,
    };

    private static string[] Strings(ConfigReader json, string key, JsonArray array) =>
        [.. array.Select(e => e is JsonValue v && v.GetValueKind() == JsonValueKind.String ? v.GetValue<string>() : throw json.Wrong(key, "a list of names"))];

    private static int[]? Layers(ConfigReader json) => json.Json["layers_to_transform"] switch
    {
        null => null,
        JsonArray array => [.. array.Select(e => Layer(json, e))],
        var node => [Layer(json, node)],
    };

    private static int Layer(ConfigReader json, JsonNode? node) =>
        node is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetValue(out int layer) && layer >= 0
            ? layer
            : throw json.Wrong("layers_to_transform", "a block number or a list of them");

    private static Dictionary<string, T> Pattern<T>(ConfigReader json, string key, Func<ConfigReader, string, T> read)
    {
        var values = new Dictionary<string, T>(StringComparer.Ordinal);
        if (json.Object(key) is { } entries)
            foreach ((string name, _) in entries.Json)
                values.Add(name, read(entries, name));
        return values;
    }

    private static JsonObject Object<T>(IReadOnlyDictionary<string, T> values, Func<T, JsonNode?> node) =>
        new(values.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => KeyValuePair.Create(e.Key, node(e.Value))));

    private static JsonArray? Array(IReadOnlyList<string>? names) => names is null ? null : new JsonArray([.. names.Select(n => JsonValue.Create(n))]);
}
