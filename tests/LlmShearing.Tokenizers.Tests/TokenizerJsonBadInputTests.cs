using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Testing.Tokenizers;
using LlmShearing.Tokenizers.HuggingFace;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>Damaged and unsupported tokenizer.json files: one exception type that names the file and the place.</summary>
public class TokenizerJsonBadInputTests
{
    [Fact]
    public void Load_TruncatedAnywhere_Throws()
    {
        string json = TestTokenizer.Json().ToJsonString();
        for (int length = 0; length < json.Length - 1; length += 7)
            Assert.Contains("tokenizer.json", Assert.Throws<TokenizerException>(() => TestTokenizer.Load(json[..length])).Message);
    }

    [GoldenFact(VectorFile.Folder + "spm-bpe-small/tokenizer-new.json")]
    public void Load_FlippedBytes_WorksOrThrowsTheOneType()
    {
        byte[] bytes = File.ReadAllBytes(Goldens.Path(VectorFile.Folder + "spm-bpe-small/tokenizer-new.json"));
        var random = new Random(4);
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. bytes];
            damaged[random.Next(i % 2 == 0 ? 2000 : damaged.Length)] = (byte)random.Next(32, 256);
            try
            {
                ITokenizer tokenizer = new JsonTokenizer(TokenizerJsonReader.Read(damaged, "tokenizer.json"));
                tokenizer.Decode(tokenizer.Encode("Hello  world\n12 \u4F60"));
            }
            catch (TokenizerException)
            {
            }
        }
    }

    [Theory]
    [InlineData("[]", "is an array")]
    [InlineData("{}", "has no 'model'")]
    [InlineData("{\"version\":\"2.0\",\"model\":{}}", "'2.0'")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"\\ud800\"},\"merges\":[]}}", "'model.vocab.a': the text is broken")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}", "a member's name in 'model.vocab': the text is broken")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "-1")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2147483647},\"merges\":[]}}", "2147483647")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}}", "1.5")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"b\":1},\"merges\":[]}}", "the id 1 to both 'a' and 'b'")]
    [InlineData("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"a\":2},\"merges\":[]}}", "'a' twice")]
    [InlineData("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0.5]]}}", "'Unigram'")]
    [InlineData("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "'WordPiece'")]
    public void Load_BadFile_NamesThePlace(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<TokenizerException>(() => TestTokenizer.Load(json)).Message);

    [Theory]
    [InlineData("""["a b c"]""", "model.merges[0]")]
    [InlineData("""["ab"]""", "one space")]
    [InlineData("""[["a", "b"], ["a"]]""", "model.merges[1] has 1 elements")]
    [InlineData("""[["a", "x"]]""", "'x', which is not in the vocabulary")]
    [InlineData("""[["b", "a"]]""", "'ba', which is not in the vocabulary")]
    [InlineData("""[7]""", "is the number 7")]
    [InlineData("""{}""", "is an object")]
    public void Load_BadMerges_NamesThem(string merges, string expected) =>
        Assert.Contains(expected, Assert.Throws<TokenizerException>(() => TestTokenizer.WithModel("merges", merges)).Message);

    [Theory]
    [InlineData("normalizer", """{"type":"Precompiled","precompiled_charsmap":""}""", "normalizer 'Precompiled'")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"BertNormalizer"}]}""", "normalizer.normalizers[0]")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":"(?<=a)b"},"content":""}""", "'(?<=a)b'")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"String":""},"content":"x"}""", "is empty")]
    [InlineData("normalizer", """{"type":7}""", "normalizer.type is the number 7")]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "'BertPreTokenizer'")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"\\p{Han}"},"behavior":"Isolated"}""", @"'\p{Han}'")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a*"},"behavior":"Isolated"}""", "'a*'")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"String":"a"},"behavior":"Sideways"}""", "'Sideways'")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"__"}""", "one character")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"_","add_prefix_space":false,"prepend_scheme":"first"}""", "contradicts")]
    [InlineData("post_processor", """{"type":"RobertaProcessing"}""", "'RobertaProcessing'")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"pair":[],"special_tokens":{}}""", "'<s>'")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "decoder 'WordPiece'")]
    [InlineData("added_tokens", """[{"id":9}]""", "added_tokens[0] has no 'content'")]
    public void Load_UnsupportedPart_IsRefusedByName(string part, string value, string expected) =>
        Assert.Contains(expected, Assert.Throws<TokenizerException>(() => TestTokenizer.With(part, value)).Message);

    [Fact]
    public void Load_AddedTokenInAGapOfTheVocabulary_IsRefused()
    {
        JsonObject json = TestTokenizer.Json();
        json["model"]!["vocab"]!["z"] = 8;
        json["added_tokens"] = JsonNode.Parse("""[{"id":8,"content":"<x>"}]""");
        Assert.Contains("id 8", Assert.Throws<TokenizerException>(() => TestTokenizer.Load(json)).Message);
    }

    [Fact]
    public void Load_DeeplyNestedJson_Throws() =>
        Assert.Throws<TokenizerException>(() => TestTokenizer.Load(new string('[', 100_000)));

    [Fact]
    public void Encode_UnknownTokenOutsideTheVocabulary_Throws()
    {
        ITokenizer tokenizer = TestTokenizer.WithModel("unk_token", "\"<unk>\"");
        Assert.Equal([3], tokenizer.Encode("ab"));
        Assert.Contains("'<unk>'", Assert.Throws<TokenizerException>(() => tokenizer.Encode("x")).Message);
    }

    [Fact]
    public void Load_NothingThere_Throws()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        Assert.Contains("neither", Assert.Throws<TokenizerException>(() => TokenizerLoader.Load(folder)).Message);
        Assert.Contains("no.json", Assert.Throws<TokenizerException>(() => TokenizerLoader.Load(Path.Combine(folder, "no.json"))).Message);
        Directory.Delete(folder);
    }
}
