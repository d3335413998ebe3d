// config.json -> LlamaConfig. Accepts the spelling of transformers 4 and 5, fills in the defaults of the model's own class, and
// refuses by name whatever would change the computation and is not supported here. Writing is in LlamaConfigWriter.
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlmShearing.Json;
using LlmShearing.Shapes;

namespace LlmShearing.Model;

/// <summary>Reads and writes config.json of the LLaMA family (model types llama, mistral and qwen2).</summary>
public static class LlamaConfigJson
{
    /// <summary>Name of the key under which the sizes of every layer are stored when they differ.</summary>
    public const string ExtensionKey = "llm_shearing";

    private static readonly string[] Refused =
    [
        "quantization_config", "compression_config", "num_local_experts", "num_experts", "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size",
    ];

    /// <summary>Reads a config.json file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The configuration; <see cref="LlamaConfig.Source"/> is the JSON as read.</returns>
    /// <exception cref="CheckpointException">The file cannot be read, or says something that is invalid or not supported.</exception>
    public static LlamaConfig Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new CheckpointException($"There is no config.json: '{path}' does not exist. Give the folder of a Hugging Face checkpoint.", path);
        return FromJson(JsonFile.ReadObject(path), path);
    }

    /// <summary>Interprets the JSON of a config.json file.</summary>
    /// <param name="json">The object; kept as <see cref="LlamaConfig.Source"/>, not changed.</param>
    /// <param name="path">File name for messages; default config.json.</param>
    /// <returns>The configuration.</returns>
    /// <exception cref="CheckpointException">It says something that is invalid or not supported.</exception>
    public static LlamaConfig FromJson(JsonObject json, string path = "config.json")
    {
        ArgumentNullException.ThrowIfNull(json);
        // Values made in code keep their .NET type and answer only to it; a round trip through text makes them numbers as in a file.
        var reader = new ConfigReader(JsonFile.ParseObject(System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), path), path);
        string type = ReadModelType(reader);
        RefuseUnsupported(reader);
        ConfigDefaults defaults = ConfigDefaults.For(type);
        LlamaShape shape = ReadShape(reader, defaults);
        (double theta, RopeScaling scaling) = RopeJson.Read(reader);
        return new LlamaConfig
        {
            Shape = shape,
            ModelType = type,
            RmsNormEps = reader.PositiveDouble("rms_norm_eps", 1e-6),
            RopeTheta = theta,
            RopeScaling = scaling,
            MaxPositionEmbeddings = reader.PositiveInt("max_position_embeddings", defaults.MaxPositionEmbeddings),
            SlidingWindows = SlidingWindowJson.Read(reader, type, shape.Layers.Length),
            StoredDtype = ReadDtype(reader),
            BosTokenId = reader.Json.ContainsKey("bos_token_id") ? reader.Int("bos_token_id") : defaults.BosTokenId,
            EosTokenIds = ReadEos(reader, defaults),
            PadTokenId = ReadPad(reader, shape.VocabSize),
            Source = json,
        };
    }

    /// <summary>The JSON of config.json for a configuration, in the spelling of transformers 4, which newer releases read too.</summary>
    /// <param name="config">
    /// Keys of its <see cref="LlamaConfig.Source"/> that this library does not interpret are kept. When its layers differ in shape, the
    /// ordinary keys hold the sizes of a padded uniform model and the key <c>llm_shearing</c> holds the sizes of every layer.
    /// </param>
    /// <returns>A new object.</returns>
    /// <exception cref="CheckpointException">The model type has no way to say what the configuration says.</exception>
    public static JsonObject ToJson(LlamaConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return LlamaConfigWriter.Write(config);
    }

    private static string ReadModelType(ConfigReader reader)
    {
        string type = reader.Text("model_type") ?? throw reader.Error("model_type is missing, so the architecture is not known. Supported are llama, mistral and qwen2.");
        return type is "llama" or "mistral" or "qwen2"
            ? type
            : throw reader.Error($"model_type '{type}' is not supported. Supported are llama, mistral and qwen2.");
    }

    private static void RefuseUnsupported(ConfigReader reader)
    {
        foreach (string key in Refused)
            if (reader.Has(key))
                throw reader.Error($"{key} is present: quantised and mixture-of-experts checkpoints are not supported. Convert the model to plain float weights first.");
        if (reader.Has("partial_rotary_factor") && reader.Double("partial_rotary_factor") != 1)
            throw reader.Wrong("partial_rotary_factor", "a fully rotary model (1, or no such key)");
        if (reader.Text("hidden_act") is not (null or "silu" or "swish") and string activation)
            throw reader.Error($"hidden_act '{activation}' is not supported; silu is.");
    }

    private static LlamaShape ReadShape(ConfigReader reader, ConfigDefaults defaults)
    {
        int hidden = reader.PositiveInt("hidden_size", 4096);
        int layers = reader.PositiveInt("num_hidden_layers", 32);
        int heads = reader.PositiveInt("num_attention_heads", 32);
        int keyValueHeads = reader.PositiveInt("num_key_value_heads", reader.Json.ContainsKey("num_key_value_heads") ? heads : defaults.KeyValueHeads ?? heads);
        int intermediate = reader.PositiveInt("intermediate_size", defaults.IntermediateSize);
        if (layers > ShapeRules.MaxLayers)
            throw reader.Wrong("num_hidden_layers", $"at most {ShapeRules.MaxLayers}");
        bool llama = defaults.ModelType == "llama";
        bool attentionBias = llama && reader.Bool("attention_bias", false);
        ImmutableArray<LayerShape>? own = LayerSizesJson.Read(reader, layers, heads, keyValueHeads, intermediate);
        if (own is null && heads % keyValueHeads != 0)
            throw reader.Error($"num_attention_heads {heads} is not a multiple of num_key_value_heads {keyValueHeads}.");
        var shape = new LlamaShape
        {
            VocabSize = reader.PositiveInt("vocab_size", defaults.VocabSize),
            HiddenSize = hidden,
            HeadDim = ReadHeadDim(reader, hidden, heads),
            Layers = own ?? [.. Enumerable.Repeat(new LayerShape(heads, keyValueHeads, intermediate), layers)],
            TiedEmbeddings = reader.Bool("tie_word_embeddings", false),
            QueryKeyValueBias = attentionBias || defaults.ModelType == "qwen2",
            OutputBias = attentionBias,
            MlpBias = llama && reader.Bool("mlp_bias", false),
        };
        try
        {
            ShapeRules.Check(shape);
        }
        catch (PlanException e)
        {
            throw new CheckpointException($"'{reader.Path}': {e.Message}", reader.Path, e);
        }

        return shape;
    }

    private static int ReadHeadDim(ConfigReader reader, int hidden, int heads)
    {
        if (!reader.Has("head_dim") && hidden % heads != 0)
            throw reader.Error($"hidden_size {hidden} is not a multiple of num_attention_heads {heads}, so head_dim must be given.");
        int headDim = reader.PositiveInt("head_dim", hidden / heads);
        return headDim % 2 == 0 ? headDim : throw reader.Error($"head_dim is {headDim}; rotary embedding needs an even number.");
    }

    private static string ReadDtype(ConfigReader reader)
    {
        string key = reader.Has("dtype") ? "dtype" : "torch_dtype";
        string name = reader.Text(key) ?? "float32";
        return name is "float64" or "float32" or "float16" or "bfloat16" ? name : throw reader.Wrong(key, "float32, float16, bfloat16 or float64");
    }

    private static ImmutableArray<int> ReadEos(ConfigReader reader, ConfigDefaults defaults)
    {
        if (!reader.Json.ContainsKey("eos_token_id"))
            return defaults.EosTokenId is int id ? [id] : [];
        if (reader.Json["eos_token_id"] is not JsonArray list)
            return reader.Int("eos_token_id") is int one ? [one] : [];
        var ids = ImmutableArray.CreateBuilder<int>(list.Count);
        foreach (JsonNode? node in list)
            ids.Add(node is JsonValue value && value.TryGetValue(out int item) ? item : throw reader.Wrong("eos_token_id", "a whole number or a list of them"));
        return ids.ToImmutable();
    }

    private static int? ReadPad(ConfigReader reader, int vocabulary)
    {
        int? pad = reader.Int("pad_token_id");
        return pad is null || (pad >= -vocabulary && pad < vocabulary)
            ? pad
            : throw reader.Error($"pad_token_id {pad} is outside the vocabulary of {vocabulary} (vocab_size).");
    }
}
