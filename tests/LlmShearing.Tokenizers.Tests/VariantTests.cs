using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Testing.Tokenizers;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>
/// Unusual settings against the reference libraries: random combinations of normalizers, pre-tokenizers, decoders, added tokens and
/// model flags; sentencepiece models with user-defined and unused pieces.
/// </summary>
public class VariantTests
{
    private static readonly string Folder = Path.Combine(Goldens.RepositoryRoot, "tests", "data", "tokenizers");

    [Fact]
    public void JsonVariants_EveryText_MatchesTheReference()
    {
        JsonNode root = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "variants.json")))!;
        int compared = 0;
        foreach (JsonNode? variant in root["variants"]!.AsArray())
        {
            ITokenizer tokenizer = TestTokenizer.Load(Build(variant!));
            foreach (JsonNode? row in variant!["cases"]!.AsArray())
            {
                string text = (string)row!["text"]!;
                int[] ids = VectorFile.Ids(row["ids"]!);
                Assert.Equal(ids, tokenizer.Encode(text));
                compared++;
                if (row["decoded"] is not { } decoded)
                    continue;
                Assert.Equal((string)decoded!, tokenizer.Decode(ids, skipSpecialTokens: false));
                Assert.Equal((string)(row["decoded_skip_special"] ?? decoded)!, tokenizer.Decode(ids));
            }
        }
        Assert.Equal(1000, compared);
    }

    [Theory]
    [InlineData("user-defined")]
    [InlineData("user-defined-unused")]
    [InlineData("unused-no-bytes")]
    [InlineData("user-defined-no-bytes")]
    [InlineData("no-dummy-prefix")]
    public void SentencePieceVariant_EveryText_MatchesTheReference(string name)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Path.Combine(Folder, name + ".model"));
        JsonArray rows = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name + ".json")))!["cases"]!.AsArray();
        Assert.Equal(110, rows.Count);
        foreach (JsonNode? row in rows)
        {
            int[] ids = VectorFile.Ids(row!["ids"]!);
            if (row["text"] is { } text)
                Assert.Equal(ids, tokenizer.Encode((string)text!, addSpecialTokens: false));
            Assert.Equal((string)row["decoded"]!, tokenizer.Decode(ids));
        }
    }

    private static JsonObject Build(JsonNode variant)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Goldens.Path(VectorFile.Folder + variant["base"])))!.AsObject();
        foreach ((string part, JsonNode? value) in variant["patch"]!.AsObject())
            json[part] = value?.DeepClone();
        JsonObject model = json["model"]!.AsObject();
        foreach ((string flag, JsonNode? value) in variant["model"]!.AsObject())
            model[flag] = value?.DeepClone();
        JsonObject vocabulary = model["vocab"]!.AsObject();
        foreach ((string token, JsonNode? renamed) in variant["renamed"]!.AsObject())
        {
            JsonNode id = vocabulary[token]!;
            vocabulary.Remove(token);
            vocabulary[(string)renamed!] = id;
        }
        return json;
    }
}
