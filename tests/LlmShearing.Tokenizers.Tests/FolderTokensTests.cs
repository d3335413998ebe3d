// Added tokens beside a sentencepiece model.
using LlmShearing.Testing;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>What added_tokens.json, tokenizer_config.json and special_tokens_map.json add to a tokenizer.model.</summary>
public sealed class FolderTokensTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;
    private readonly ITokenizer _bare;
    private readonly int _size;

    public FolderTokensTests()
    {
        File.Copy(Goldens.Path(VectorFile.Folder + "spm-bpe-small/tokenizer.model"), Path.Combine(_folder, "tokenizer.model"));
        _bare = TokenizerLoader.Load(_folder);
        _size = _bare.VocabularySize;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_AddedTokens_AreOneIdEachAndTheNamedEosCounts()
    {
        Write("added_tokens.json", $"{{\"<|im_end|>\":{_size},\"<|im_start|>\":{_size + 1}}}");
        Write("special_tokens_map.json", """{"eos_token":"<|im_end|>"}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal((_size + 2, 1, _size), (tokenizer.VocabularySize, tokenizer.BosTokenId, tokenizer.EosTokenId));
        Assert.Equal([1, _size + 1, .. Plain("user\nHello"), _size, .. Plain(" Hello")], tokenizer.Encode("<|im_start|>user\nHello<|im_end|> Hello"));
        // The space in front of a stretch after a token is real; only the one at the beginning goes.
        Assert.Equal("<|im_start|> user\nHello<|im_end|>", tokenizer.Decode(tokenizer.Encode("<|im_start|>user\nHello<|im_end|>", false), skipSpecialTokens: false));
        Assert.Equal("<|im_start|> user", tokenizer.Decode(tokenizer.Encode("<|im_start|>user<|im_end|>", false)));
        Assert.Equal("Hello Hello", tokenizer.Decode(tokenizer.Encode("Hello<|im_end|>Hello", false)));
        Assert.Equal(("<|im_start|>", _size + 1), (tokenizer.IdToToken(_size + 1), tokenizer.TokenToId("<|im_start|>")));
    }

    [Fact]
    public void Encode_Flags_StripAndKeepWordsWhole()
    {
        Write("tokenizer_config.json", $"{{\"added_tokens_decoder\":{{\"{_size}\":{{\"content\":\"<L>\",\"lstrip\":true}},\"{_size + 1}\":{{\"content\":\"<R>\",\"rstrip\":true}},\"{_size + 2}\":{{\"content\":\"<W>\",\"single_word\":true}}}}}}");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal([.. Plain("a"), _size, .. Plain(" b")], tokenizer.Encode("a \n <L> b", false));
        Assert.Equal([.. Plain("a "), _size + 1, .. Plain("b")], tokenizer.Encode("a <R> \n b", false));
        Assert.Equal([.. Plain("a "), _size + 2, .. Plain(" b")], tokenizer.Encode("a <W> b", false));
        Assert.Equal(Plain("a<W>"), tokenizer.Encode("a<W>", false));
        Assert.Equal([2], tokenizer.Encode("</s>", false));
    }

    [Fact]
    public void Encode_NotLegacy_PutsTheSpaceInFrontOnce()
    {
        string added = $"\"added_tokens_decoder\":{{\"{_size}\":{{\"content\":\"<X>\",\"special\":true}}}},\"additional_special_tokens\":[\"<X>\"]";
        Write("tokenizer_config.json", $"{{{added},\"legacy\":true}}");
        Assert.Equal([.. Plain("Hello"), _size, .. Plain("Hello")], TokenizerLoader.Load(_folder).Encode("Hello<X>Hello", false));
        Write("tokenizer_config.json", $"{{{added},\"legacy\":false}}");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        int[] ids = tokenizer.Encode("Hello<X>Hello", false), plain = Plain("Hello");
        Assert.Equal([.. plain, _size], ids[..(plain.Length + 1)]);
        Assert.NotEqual(plain, ids[(plain.Length + 1)..]);
        Assert.Equal(_size, tokenizer.Encode("<X>Hello", false)[0]);
        Assert.Equal("Hello<X>Hello", tokenizer.Decode(ids, skipSpecialTokens: false));
        Assert.Equal([.. plain, _size, .. plain], tokenizer.Encode("Hello<X> Hello", false));
    }

    [Fact]
    public void Encode_NotLegacyAndModelDropsExtraSpaces_KeepsTheOneInFront()
    {
        Write("tokenizer_config.json", $"{{\"added_tokens_decoder\":{{\"{_size}\":{{\"content\":\"<X>\",\"special\":true}}}},\"additional_special_tokens\":[\"<X>\"],\"legacy\":false}}");
        string path = Path.Combine(_folder, "tokenizer.model");
        SentencePieceModel model = SentencePieceReader.Read(File.ReadAllBytes(path), path) with { RemoveExtraWhitespaces = true };
        ITokenizer tokenizer = new SentencePieceTokenizer(model, addBos: false, addEos: false, FolderTokens.Read(_folder, model));
        ITokenizer keeping = TokenizerLoader.Load(_folder);
        int[] plain = Plain("Hello"), bare = keeping.Encode("<X>Hello", false)[1..];
        Assert.NotEqual(plain, bare);
        Assert.Equal(plain, tokenizer.Encode("Hello"));
        Assert.Equal([.. plain, _size, .. plain], tokenizer.Encode("Hello  <X>  Hello  "));
        Assert.Equal([_size, .. bare, _size, .. plain], tokenizer.Encode("<X>Hello<X> Hello"));
        Assert.Equal(Plain("Hello Hello"), tokenizer.Encode("Hello  Hello"));
        // The mark put in front is no space to the model, so one of two more stays.
        Assert.Equal(Plain(" Hello"), tokenizer.Encode("  Hello"));
    }

    [Fact]
    public void Encode_TextThatIsOnlyASpaceBeforeASpecialToken_LosesItWithoutAPrefix()
    {
        Write("tokenizer_config.json", """{"additional_special_tokens":["<X>"],"legacy":false,"add_prefix_space":false}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal([_size], tokenizer.Encode(" <X>", false));
        Assert.Equal([_size, .. Plain("Hello")], tokenizer.Encode("<X> Hello", false));
    }

    [Fact]
    public void Load_EosThatNoFileHas_GetsTheNextId()
    {
        Write("tokenizer_config.json", """{"eos_token":"<end>"}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal((_size, _size + 1), (tokenizer.EosTokenId, tokenizer.VocabularySize));
    }

    [Fact]
    public void Load_FilesThatDisagree_TheListOfAddedTokensDecides()
    {
        Write("special_tokens_map.json", """{"eos_token":"<map>"}""");
        Write("added_tokens.json", $"{{\"<map>\":{_size},\"<config>\":{_size + 1}}}");
        Write("tokenizer_config.json", """{"eos_token":"<config>"}""");
        Assert.Equal(_size, TokenizerLoader.Load(_folder).EosTokenId);

        Write("tokenizer_config.json", $"{{\"eos_token\":\"<config>\",\"added_tokens_decoder\":{{\"{_size + 1}\":{{\"content\":\"<config>\"}}}}}}");
        Assert.Equal(_size + 1, TokenizerLoader.Load(_folder).EosTokenId);

        // What the list has goes before added_tokens.json; what only the latter has is taken.
        Write("added_tokens.json", $"{{\"<config>\":{_size},\"<other>\":{_size + 1},\"<more>\":{_size + 2}}}");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal((_size + 1, null, _size + 2), (tokenizer.TokenToId("<config>"), tokenizer.TokenToId("<other>"), tokenizer.TokenToId("<more>")));
    }

    [Fact]
    public void Load_TokenNamedWithFlags_HasThemWhereTheListHasOnlyItsId()
    {
        Write("added_tokens.json", $"{{\"<E>\":{_size}}}");
        Write("special_tokens_map.json", """{"eos_token":{"content":"<E>","lstrip":true,"rstrip":true,"single_word":false,"normalized":false}}""");
        Assert.Equal([.. Plain("a"), _size, .. Plain("b")], TokenizerLoader.Load(_folder).Encode("a \n<E> b", false));
    }

    [Fact]
    public void Load_AdditionalTokensOfBothFiles_AreNumberedInTurn()
    {
        Write("tokenizer_config.json", """{"additional_special_tokens":["<a>"]}""");
        Write("special_tokens_map.json", """{"pad_token":"<pad>","additional_special_tokens":[{"content":"<b>","lstrip":true},"<a>"]}""");
        ITokenizer tokenizer = TokenizerLoader.Load(_folder);
        Assert.Equal((_size, _size + 1, _size + 2), (tokenizer.PadTokenId, tokenizer.TokenToId("<a>"), tokenizer.TokenToId("<b>")));
        Assert.Equal([.. Plain("x"), _size + 2], tokenizer.Encode("x  <b>", false));
    }

    [Theory]
    [InlineData("added_tokens.json", """{"<x>":-1}""")]
    [InlineData("added_tokens.json", """{"<x>":99999999999}""")]
    [InlineData("added_tokens.json", """{"<x>":5000000,"<y>":5000000}""")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder":{"x":{"content":"<x>"}}}""")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder":{"7":"<x>"}}""")]
    [InlineData("special_tokens_map.json", """{"additional_special_tokens":[7]}""")]
    public void Load_BadFile_NamesIt(string name, string json)
    {
        Write(name, json);
        Assert.Contains(name, Assert.Throws<TokenizerException>(() => TokenizerLoader.Load(_folder)).Message, StringComparison.Ordinal);
    }

    private int[] Plain(string text) => _bare.Encode(text, addSpecialTokens: false);

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);
}
