// LlamaConfig -> config.json. Starts from the JSON that was read and touches only what differs from it, so that a round trip keeps
// every key and number as they were.
using System.Text.Json.Nodes;

namespace LlmShearing.Model;

internal static class LlamaConfigWriter
{
    public static JsonObject Write(LlamaConfig config)
    {
        JsonObject json = config.Source is null ? NewObject(config.ModelType) : config.Source.DeepClone().AsObject();
        LlamaConfig? original = config.Source is null ? null : LlamaConfigJson.FromJson(config.Source);
        if (original is not null && original.ModelType != config.ModelType)
            throw new CheckpointException($"The configuration is of model type '{config.ModelType}', but was read from JSON of type '{original.ModelType}'.");
        WriteSizes(config, json);
        WriteBiases(config, json);
        WriteRope(config, original, json);
        SetIf(json, "rms_norm_eps", config.RmsNormEps, original?.RmsNormEps);
        SetIf(json, "max_position_embeddings", config.MaxPositionEmbeddings, original?.MaxPositionEmbeddings);
        Set(json, "tie_word_embeddings", config.Shape.TiedEmbeddings);
        SlidingWindowJson.Write(config, json);
        json.Remove("dtype");
        Set(json, "torch_dtype", config.StoredDtype);
        if (original is null || original.BosTokenId != config.BosTokenId)
            json["bos_token_id"] = config.BosTokenId;
        if (original is null || original.PadTokenId != config.PadTokenId)
            json["pad_token_id"] = config.PadTokenId;
        if (original is null || !original.EosTokenIds.AsSpan().SequenceEqual(config.EosTokenIds.AsSpan()))
            json["eos_token_id"] = config.EosTokenIds.Length switch
            {
                0 => null,
                1 => config.EosTokenIds[0],
                _ => new JsonArray([.. config.EosTokenIds.Select(id => (JsonNode)id)]),
            };
        return json;
    }

    private static JsonObject NewObject(string modelType) => new()
    {
        ["architectures"] = new JsonArray(modelType switch
        {
            "mistral" => "MistralForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            _ => "LlamaForCausalLM",
        }),
        ["model_type"] = modelType,
        ["hidden_act"] = "silu",
        ["initializer_range"] = 0.02,
        ["use_cache"] = true,
    };

    private static void WriteSizes(LlamaConfig config, JsonObject json)
    {
        LlamaShape shape = config.Shape;
        LayerShape padded = PaddedShape.Of(shape).Layers[0];
        Set(json, "vocab_size", shape.VocabSize);
        Set(json, "hidden_size", shape.HiddenSize);
        Set(json, "intermediate_size", padded.IntermediateSize);
        Set(json, "num_hidden_layers", shape.Layers.Length);
        Set(json, "num_attention_heads", padded.QueryHeads);
        Set(json, "num_key_value_heads", padded.KeyValueHeads);
        Set(json, "head_dim", shape.HeadDim);
        if (shape.IsUniform)
            json.Remove(LlamaConfigJson.ExtensionKey);
        else
            json[LlamaConfigJson.ExtensionKey] = LayerSizesJson.Write(shape);
    }

    private static void WriteBiases(LlamaConfig config, JsonObject json)
    {
        LlamaShape shape = config.Shape;
        bool sayable = config.ModelType switch
        {
            "llama" => shape.QueryKeyValueBias == shape.OutputBias,
            "qwen2" => shape.QueryKeyValueBias && !shape.OutputBias && !shape.MlpBias,
            _ => !shape.QueryKeyValueBias && !shape.OutputBias && !shape.MlpBias,
        };
        if (!sayable)
            throw new CheckpointException($"Model type '{config.ModelType}' has no configuration for these biases: q/k/v {shape.QueryKeyValueBias}, o {shape.OutputBias}, gate/up/down {shape.MlpBias}.");
        if (config.ModelType != "llama")
            return;
        Set(json, "attention_bias", shape.OutputBias);
        Set(json, "mlp_bias", shape.MlpBias);
    }

    private static void WriteRope(LlamaConfig config, LlamaConfig? original, JsonObject json)
    {
        bool nested = json.Remove("rope_parameters");
        if (nested || original is null || original.RopeTheta != config.RopeTheta || !json.ContainsKey("rope_theta"))
            json["rope_theta"] = config.RopeTheta;
        if (nested || original is null || original.RopeScaling != config.RopeScaling)
            json["rope_scaling"] = RopeJson.Write(config.RopeScaling);
        // transformers 4 may also hold the base inside rope_scaling; it must not contradict a changed one.
        if (json["rope_scaling"] is JsonObject scaling)
            scaling.Remove("rope_theta");
    }

    /// <summary>Writes a value unless the same one is there already.</summary>
    private static void Set(JsonObject json, string key, JsonNode value)
    {
        if (!JsonNode.DeepEquals(json[key], value))
            json[key] = value;
    }

    private static void SetIf(JsonObject json, string key, double value, double? original)
    {
        if (original != value || !json.ContainsKey(key))
            json[key] = value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonValue.Create((long)value) : JsonValue.Create(value);
    }
}
