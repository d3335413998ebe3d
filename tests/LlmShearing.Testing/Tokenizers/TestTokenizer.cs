using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Tokenizers;
using LlmShearing.Tokenizers.HuggingFace;

namespace LlmShearing.Testing.Tokenizers;

/// <summary>Tiny tokenizer.json files made on the spot: a vocabulary, merges, and whatever else a test is about.</summary>
internal static class TestTokenizer
{
    /// <summary>A BPE tokenizer.json with the tokens a, b, c, ab, abc, ▁, ▁a (ids in this order) and three merges.</summary>
    public static JsonObject Json() => JsonNode.Parse("""
        {
          "version": "1.0",
          "added_tokens": [],
          "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": { "type": "Fuse" },
          "model": {
            "type": "BPE",
            "vocab": { "a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "\u2581": 5, "\u2581a": 6 },
            "merges": [["a", "b"], ["ab", "c"], ["\u2581", "a"]]
          }
        }
        """)!.AsObject();

    public static ITokenizer Load(JsonObject json) => Load(json.ToJsonString());

    public static ITokenizer Load(string json) => new JsonTokenizer(TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(json), "tokenizer.json"));

    public static ITokenizer With(string part, string value)
    {
        JsonObject json = Json();
        json[part] = JsonNode.Parse(value);
        return Load(json);
    }

    public static ITokenizer WithModel(string field, string value)
    {
        JsonObject json = Json();
        json["model"]![field] = JsonNode.Parse(value);
        return Load(json);
    }
}
