using LlmShearing.Testing.Tokenizers;
using LlmShearing.Testing;
using LlmShearing.Tokenizers.HuggingFace;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>Folders: which file is read, and what tokenizer_config.json and special_tokens_map.json change.</summary>
public sealed class TokenizerFolderTests : IDisposable
{
    private const string Spm = VectorFile.Folder + "spm-bpe-small/";

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_ModelOnly_AddsBos()
    {
        Copy("tokenizer.model", "tokenizer.model");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.IsType<SentencePieceTokenizer>(tokenizer);
        Assert.Equal((1, 2, 0, (int?)null), (tokenizer.BosTokenId, tokenizer.EosTokenId, tokenizer.UnknownTokenId, tokenizer.PadTokenId));
        Assert.Equal(1, tokenizer.Encode("Hello")[0]);
    }

    [Fact]
    public void Load_BothFiles_PrefersJson()
    {
        Copy("tokenizer.model", "tokenizer.model");
        Copy("tokenizer-legacy.json", "tokenizer.json");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.IsType<JsonTokenizer>(tokenizer);
        Assert.Equal((1, (int?)null, 0), (tokenizer.BosTokenId, tokenizer.EosTokenId, tokenizer.UnknownTokenId));
    }

    [Theory]
    [InlineData("tokenizer.model", "tokenizer.model")]
    [InlineData("tokenizer-legacy.json", "tokenizer.json")]
    public void Load_LlamaClass_ConfigDecidesAboutBosAndEos(string file, string name)
    {
        Copy(file, name);
        const string Tokens = "\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"},\"tokenizer_class\":\"LlamaTokenizer\"";
        int[] plain = TokenizerLoader.Load(_folder).Encode("Hello", addSpecialTokens: false);

        Write("tokenizer_config.json", $"{{{Tokens}}}");
        Assert.Equal([1, .. plain], TokenizerLoader.Load(_folder).Encode("Hello"));
        Write("tokenizer_config.json", $"{{{Tokens},\"add_bos_token\":false,\"add_eos_token\":true}}");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal([.. plain, 2], tokenizer.Encode("Hello"));
        Assert.Equal(2, tokenizer.EosTokenId);
        Write("tokenizer_config.json", $"{{{Tokens},\"add_bos_token\":true,\"add_eos_token\":true}}");
        EncodedPair pair = TokenizerLoader.Load(_folder).EncodePair("Hello", "Hello");
        Assert.Equal([1, .. plain, 2, 1, .. plain, 2], pair.Ids);
        Assert.Equal(plain.Length + 2, pair.TypeIds.Count(type => type == 1));
    }

    [Fact]
    public void Load_OtherClass_KeepsTheTemplateOfTheJson()
    {
        Copy("tokenizer-legacy.json", "tokenizer.json");
        Write("tokenizer_config.json", """{"tokenizer_class":"PreTrainedTokenizerFast","add_bos_token":false,"eos_token":"</s>","pad_token":null}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal(1, tokenizer.Encode("Hello")[0]);
        Assert.Equal((1, 2, (int?)null), (tokenizer.BosTokenId, tokenizer.EosTokenId, tokenizer.PadTokenId));
    }

    [Fact]
    public void Load_SpecialTokensMap_FillsWhatTheConfigLeavesOpen()
    {
        Copy("tokenizer-legacy.json", "tokenizer.json");
        Write("tokenizer_config.json", """{"eos_token":"</s>","added_tokens_decoder":{"2":{"content":"</s>"}}}""");
        Write("special_tokens_map.json", """{"eos_token":"<unk>","pad_token":{"content":"<unk>"}}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal((2, 0), (tokenizer.EosTokenId, tokenizer.PadTokenId));
    }

    [Fact]
    public void Load_ConfigWithoutListOfTokens_GivesWayToTheMap()
    {
        Copy("tokenizer-legacy.json", "tokenizer.json");
        Write("tokenizer_config.json", """{"eos_token":"</s>","bos_token":"<s>"}""");
        Write("special_tokens_map.json", """{"eos_token":"<unk>"}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal((0, 1), (tokenizer.EosTokenId, tokenizer.BosTokenId));
    }

    [Fact]
    public void Load_LlamaClassWithoutBos_IsRefused()
    {
        Write("tokenizer.json", TestTokenizer.Json().ToJsonString());
        Write("tokenizer_config.json", """{"tokenizer_class":"LlamaTokenizerFast"}""");
        Assert.Contains("bos", Assert.Throws<TokenizerException>(() => TokenizerLoader.Load(_folder)).Message);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("""{"add_bos_token":"yes"}""")]
    [InlineData("""{"bos_token":[]}""")]
    public void Load_BadConfig_NamesTheFile(string config)
    {
        Copy("tokenizer.model", "tokenizer.model");
        Write("tokenizer_config.json", config);
        Assert.Contains("tokenizer_config.json", Assert.Throws<TokenizerException>(() => TokenizerLoader.Load(_folder)).Message);
    }

    [GoldenFact("../models/smollm2-135m-instruct", "../models/demo-llama-2.5m", "eval/models/tiny-bpe512")]
    public void Load_RealFolders_KnowTheirTokens()
    {
        ITokenizer smol = TokenizerLoader.Load(Goldens.Path("../models/smollm2-135m-instruct"));
        Assert.Equal((49152, 1, 2, 0, 2), (smol.VocabularySize, smol.BosTokenId, smol.EosTokenId, smol.UnknownTokenId, smol.PadTokenId));
        ITokenizer demo = TokenizerLoader.Load(Goldens.Path("../models/demo-llama-2.5m"));
        Assert.Equal((2048, 0, 0), (demo.VocabularySize, demo.BosTokenId, demo.EosTokenId));
        ITokenizer tiny = TokenizerLoader.Load(Goldens.Path("eval/models/tiny-bpe512"));
        Assert.Equal((512, 0, 1, 2), (tiny.VocabularySize, tiny.BosTokenId, tiny.EosTokenId, tiny.PadTokenId));
        Assert.Equal(0, tiny.Encode("Hello")[0]);
    }

    private void Copy(string golden, string name) => File.Copy(Goldens.Path(Spm + golden), Path.Combine(_folder, name));

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);
}
