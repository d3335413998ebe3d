using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Checkpoints;

public class LlamaConfigJsonTests
{
    private const string Small = """{"model_type":"llama","hidden_size":16,"num_attention_heads":4,"num_hidden_layers":3,"intermediate_size":24,"vocab_size":50}""";

    [Theory]
    [InlineData("llama", 32000, 11008, 32, 2048, 1)]
    [InlineData("mistral", 32000, 14336, 8, 131072, 1)]
    [InlineData("qwen2", 151936, 22016, 32, 32768, null)]
    public void FromJson_EmptyConfiguration_HasTheDefaultsOfItsClass(string type, int vocabulary, int intermediate, int keyValueHeads, int positions, int? bos)
    {
        LlamaConfig config = Parse($$"""{"model_type":"{{type}}"}""");
        Assert.Equal((vocabulary, 4096, 128, 32), (config.Shape.VocabSize, config.Shape.HiddenSize, config.Shape.HeadDim, config.Shape.Layers.Length));
        Assert.Equal(new LayerShape(32, keyValueHeads, intermediate), config.Shape.Layers[0]);
        Assert.Equal((positions, bos, 1e-6, 10000.0, "float32"), (config.MaxPositionEmbeddings, config.BosTokenId, config.RmsNormEps, config.RopeTheta, config.StoredDtype));
        Assert.False(config.Shape.TiedEmbeddings);
        Assert.Equal(type == "qwen2", config.Shape.QueryKeyValueBias);
        Assert.Equal(type == "mistral" ? 4096 : null, config.SlidingWindow(0));
    }

    [Theory]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads")]
    [InlineData("num_local_experts", "8", "num_local_experts")]
    [InlineData("num_experts", "8", "num_experts")]
    [InlineData("quantization_config", "{}", "quantization_config")]
    [InlineData("hidden_act", "\"gelu\"", "gelu")]
    [InlineData("rope_scaling", """{"rope_type":"yarn","factor":2.0}""", "yarn")]
    [InlineData("rope_scaling", """{"type":"longrope","factor":2.0}""", "longrope")]
    [InlineData("rope_scaling", """{"type":"linear","rope_type":"dynamic","factor":2.0}""", "dynamic")]
    [InlineData("rope_scaling", """{"factor":2.0}""", "rope_type")]
    [InlineData("rope_parameters", """{"rope_theta":5.0,"partial_rotary_factor":0.5}""", "partial_rotary_factor")]
    [InlineData("layer_types", """["full_attention","sliding_attention","full_attention"]""", "layer_types")]
    [InlineData("num_hidden_layers", "2000000000", "num_hidden_layers")]
    [InlineData("vocab_size", "2147483647", "vocabulary size")]
    [InlineData("hidden_size", "18", "head_dim")]
    [InlineData("tie_word_embeddings", "\"yes\"", "tie_word_embeddings")]
    [InlineData("torch_dtype", "\"int8\"", "torch_dtype")]
    [InlineData("eos_token_id", "[1,\"2\"]", "eos_token_id")]
    [InlineData("pad_token_id", "50", "pad_token_id")]
    [InlineData("rms_norm_eps", "0", "rms_norm_eps")]
    [InlineData("llm_shearing", """{"version":2,"layers":[]}""", "version")]
    [InlineData("llm_shearing", """{"version":1,"layers":[]}""", "layers")]
    [InlineData("llm_shearing", """{"version":1,"layerz":[]}""", "layerz")]
    public void FromJson_WrongOrUnsupportedValue_IsRefusedByName(string key, string value, string expected)
    {
        JsonObject json = JsonNode.Parse(Small)!.AsObject();
        json[key] = JsonNode.Parse(value);
        CheckpointException e = Assert.Throws<CheckpointException>(() => LlamaConfigJson.FromJson(json, "some/config.json"));
        Assert.Contains(expected, e.Message);
        Assert.StartsWith("'some/config.json'", e.Message);
    }

    [Fact]
    public void Load_DuplicateKey_IsRefused()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("config.json", System.Text.Encoding.UTF8.GetBytes(Small.Replace("\"vocab_size\"", "\"hidden_size\":16,\"vocab_size\"", StringComparison.Ordinal)));
        Assert.Contains("hidden_size", Assert.Throws<CheckpointException>(() => LlamaConfigJson.Load(path)).Message);
    }

    [Fact]
    public void ToJson_NothingChanged_KeepsUnknownKeysAndNumbers()
    {
        JsonObject json = JsonNode.Parse(Small)!.AsObject();
        json["rope_theta"] = JsonNode.Parse("1e4");
        json["my_key"] = JsonNode.Parse("""{"a":[1,2.50]}""");
        json["eos_token_id"] = JsonNode.Parse("[1,2]");
        JsonObject written = LlamaConfigJson.ToJson(LlamaConfigJson.FromJson(json));
        foreach ((string key, JsonNode? value) in json)
            Assert.Equal(value!.ToJsonString(), written[key]!.ToJsonString());
        Assert.Equal(4, (int)written["head_dim"]!);
        Assert.Equal("float32", (string)written["torch_dtype"]!);
    }

    [GoldenFact("hf/models/llama-v5format-llama3")]
    public void ToJson_NewSpelling_BecomesTheOldOne()
    {
        LlamaConfig config = LlamaConfigJson.Load(Goldens.Path("hf/models/llama-v5format-llama3/config.json"));
        JsonObject written = LlamaConfigJson.ToJson(config);
        Assert.False(written.ContainsKey("rope_parameters") || written.ContainsKey("dtype"));
        Assert.Equal(100000, (double)written["rope_theta"]!);
        Assert.Equal("llama3", (string)written["rope_scaling"]!["rope_type"]!);
        Assert.Equal(config with { Source = null, EosTokenIds = [] }, LlamaConfigJson.FromJson(written) with { Source = null, EosTokenIds = [] });
    }

    [Fact]
    public void ToJson_LayersThatDiffer_ComeBackExactly()
    {
        LlamaConfig config = new()
        {
            Shape = new LlamaShape
            {
                VocabSize = 50,
                HiddenSize = 15,
                HeadDim = 4,
                Layers = [new LayerShape(4, 2, 24) { GroupSizes = [3, 1] }, new LayerShape(0, 0, 7), new LayerShape(2, 1, 0)],
            },
            EosTokenIds = [1, 2],
            RopeScaling = new RopeScaling(RopeType.Linear, 2.5),
        };
        JsonObject written = LlamaConfigJson.ToJson(config);
        Assert.Equal((6, 2, 24), ((int)written["num_attention_heads"]!, (int)written["num_key_value_heads"]!, (int)written["intermediate_size"]!));
        LlamaConfig back = LlamaConfigJson.FromJson(written);
        Assert.Equal(config.Shape, back.Shape);
        Assert.Equal([1, 2], back.EosTokenIds.ToArray());
        Assert.Equal(config.RopeScaling, back.RopeScaling);
    }

    [Fact]
    public void ToJson_BiasThatTheModelTypeCannotSay_IsRefused()
    {
        LlamaConfig config = Parse(Small);
        config = config with { Shape = config.Shape with { QueryKeyValueBias = true } };
        Assert.Contains("bias", Assert.Throws<CheckpointException>(() => LlamaConfigJson.ToJson(config)).Message);
    }

    [Fact]
    public void For_PlanOfAnotherShape_IsRefused() =>
        Assert.Throws<PlanException>(() => Parse(Small).For(PruningPlan.Identity(Parse("""{"model_type":"llama"}""").Shape)));

    private static LlamaConfig Parse(string json) => LlamaConfigJson.FromJson(JsonNode.Parse(json)!.AsObject());
}
