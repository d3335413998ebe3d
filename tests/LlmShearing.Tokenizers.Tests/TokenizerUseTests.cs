using System.Buffers;
using System.Text;
using LlmShearing.Testing;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>How tokenizers behave in use: long texts, threads, streams, odd input.</summary>
public class TokenizerUseTests
{
    private const string ByteLevel = VectorFile.Folder + "bytelevel-llama3-style/tokenizer.json";
    private const string Spm = VectorFile.Folder + "spm-bpe-small/tokenizer.model";
    private const string Legacy = VectorFile.Folder + "spm-bpe-small/tokenizer-legacy.json";

    // A quadratic merge would take hours here.
    [Theory(Timeout = 600_000)]
    [InlineData(ByteLevel, "thesetheories", 10)]
    [InlineData(Spm, "thesetheories", 2)]
    [InlineData(Legacy, "thesetheories", 2)]
    [InlineData(Spm, "these theories ", 10)]
    [InlineData(Legacy, "these theories ", 10)]
    public async Task Encode_OneLineOfMegabytes_Finishes(string path, string repeated, int megabytes)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(path));
        string line = string.Concat(Enumerable.Repeat(repeated, megabytes * 1_000_000 / repeated.Length));
        int[] ids = await Task.Run(() => tokenizer.Encode(line, addSpecialTokens: false));
        Assert.InRange(ids.Length, line.Length / 10, line.Length);
        Assert.Equal(line, tokenizer.Decode(ids));
    }

    [Fact]
    public void Encode_FromManyThreads_GivesTheSameIds()
    {
        foreach (string path in new[] { ByteLevel, Spm, Legacy })
        {
            ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(path));
            string[] texts = [.. Enumerable.Range(0, 200).Select(i => string.Join(' ', Enumerable.Range(0, 50).Select(j => $"word{i * j} über {i}\n")))];
            int[][] expected = [.. texts.Select(t => TokenizerLoader.Load(Goldens.Path(path)).Encode(t))];
            Parallel.For(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            {
                int[] ids = tokenizer.Encode(texts[i % texts.Length]);
                Assert.Equal(expected[i % texts.Length], ids);
                Assert.Equal(texts[i % texts.Length], tokenizer.Decode(ids));
            });
        }
    }

    [Fact]
    public void Encode_MoreWordsThanTheCacheHolds_StaysRight()
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(ByteLevel));
        string text = string.Join(' ', Enumerable.Range(0, 60_000).Select(i => $"w{(long)i * 7919 % 100_003:x}"));
        Assert.Equal(tokenizer.Encode(text), tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void EncodeTo_AppendsToTheWriter()
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(ByteLevel));
        var writer = new ArrayBufferWriter<int>();
        tokenizer.EncodeTo("Hello", writer);
        tokenizer.EncodeTo(" world", writer, addSpecialTokens: false);
        Assert.Equal([.. tokenizer.Encode("Hello"), .. tokenizer.Encode(" world", addSpecialTokens: false)], writer.WrittenSpan.ToArray());
    }

    [Theory]
    [InlineData(ByteLevel)]
    [InlineData(Spm)]
    [InlineData(Legacy)]
    public void Encode_LoneSurrogates_CountAsReplacementCharacters(string path)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(path));
        Assert.Equal(tokenizer.Encode("a\uFFFDb\uFFFD \uFFFD"), tokenizer.Encode("a\uD800b\uDC00 \uD83D"));
    }

    [Fact]
    public void Decode_IdsWithoutAToken_AreLeftOut()
    {
        foreach (string path in new[] { ByteLevel, Spm, Legacy })
        {
            ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(path));
            int[] ids = tokenizer.Encode("Hello");
            Assert.Equal("Hello", tokenizer.Decode([-1, .. ids, int.MaxValue, tokenizer.VocabularySize]));
            Assert.Null(tokenizer.IdToToken(-1));
            Assert.Null(tokenizer.IdToToken(tokenizer.VocabularySize));
            Assert.Null(tokenizer.TokenToId("no such token"));
            Assert.Equal(ids[^1], tokenizer.TokenToId(tokenizer.IdToToken(ids[^1])!));
        }
    }

    [Theory]
    [InlineData(ByteLevel)]
    [InlineData(Spm)]
    [InlineData(Legacy)]
    public void Decoder_AnyText_ChunksAndFlushMakeTheWhole(string path)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(path));
        int[] ids = tokenizer.Encode("Hello 👩‍👩‍👧, cafe\u0301 在线  x");
        TokenStreamDecoder decoder = tokenizer.CreateDecoder();
        for (int round = 0; round < 2; round++)
        {
            int[] some = [.. ids.SkipLast(round)];
            var text = new StringBuilder();
            foreach (int id in some)
                text.Append(decoder.Append(id));
            text.Append(decoder.Flush());
            Assert.Equal(tokenizer.Decode(some), text.ToString());
        }
    }

    [Fact]
    public void Flush_InsideACharacter_GivesTheReplacementCharacter()
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(Spm));
        TokenStreamDecoder decoder = tokenizer.CreateDecoder();
        Assert.Null(decoder.Append(tokenizer.TokenToId("<0xE4>")!.Value));
        Assert.Null(decoder.Append(tokenizer.TokenToId("<0xBD>")!.Value));
        Assert.Equal("\uFFFD\uFFFD", decoder.Flush());
        Assert.Equal("", decoder.Flush());
    }
}
