using System.IO.Compression;
using System.Text;
using System.Text.Json;
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;

namespace LlmShearing.Data.Tests.Corpus;

public sealed class CorpusTokenizerTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void JsonLinesAndText_BecomeRowsByDomain()
    {
        _folder.Write("in/web/b.jsonl", "{\"text\":\"cd\"}\n\n{\"text\":\"\"}\r\n{\"id\":1,\"text\":\"e\\u00e9\"}");
        _folder.Write("in/web/a.txt", "\uFEFFab\n");
        _folder.Write("in/code/x/y.md", "0123456789");
        CorpusReport report = Tokenize(new() { RowLength = 4 });
        Assert.Equal(["code", "web"], report.Domains.Select(d => d.Name));
        // a.txt: BOS a b \n EOS; b.jsonl: BOS c d EOS, BOS e é(2 bytes) EOS; 14 ids, 2 of them do not fill a row
        int[] stream = [1, .. ByteTokenizer.Ids("ab\n"), 2, 1, .. ByteTokenizer.Ids("cd"), 2, 1, .. ByteTokenizer.Ids("eé"), 2];
        Assert.Equal(stream.Chunk(4).Where(r => r.Length == 4), Rows("web"));
        Assert.Equal(new CorpusDomainReport("web", _folder["out/web"], 3, 14, 2, 3, 1, 0, 2, 0), report.Domains[1]);
        Assert.Equal(3, Rows("code").Length);
    }

    [Fact]
    public void NumbersThatJsonDoesNotHave_DoNotCostTheRecord()
    {
        _folder.Write("in/d/a.jsonl", "{\"score\": NaN, \"text\": \"ab NaN, Infinity\", \"of\": [-Infinity,Infinity]}");
        Tokenize(new() { RowLength = 4 });
        Assert.Equal([1, .. ByteTokenizer.Ids("ab NaN, Infinit")], Rows("d").SelectMany(r => r));
        _folder.Write("in/d/a.jsonl", "{\"text\": NaN}");
        Assert.Contains("line 1: \"text\" is not text", Assert.Throws<TokenDataException>(() => Tokenize(new() { RowLength = 4 }, "other")).Message, StringComparison.Ordinal);
        _folder.Write("in/d/a.jsonl", "{\"score\": NaNa, \"text\": \"ab\"}");
        Assert.Contains("line 1, byte", Assert.Throws<TokenDataException>(() => Tokenize(new() { RowLength = 4 }, "third")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MembersThatNobodyAskedFor_DoNotCostTheRecord()
    {
        string deep = new string('[', 900) + new string(']', 900);
        _folder.Write("in/d/a.jsonl", "{\"meta\": \"\\ud83d\", \"\\ud83d\": 1, \"deep\": " + deep + ", \"text\": \"ab\"}");
        Tokenize(new() { RowLength = 2, AddBos = false, AddEos = false });
        Assert.Equal([ByteTokenizer.Ids("ab")], Rows("d"));
        _folder.Write("in/d/a.jsonl", "{\"\\ud83d\": 1, \"deep\": " + deep + "}");
        Assert.Contains("line 1: no member \"text\"; there are: \\ud83d, deep", Refused(new() { RowLength = 1, Overwrite = true }), StringComparison.Ordinal);
        _folder.Write("in/d/a.jsonl", "{\"deep\": " + new string('[', 5000) + "}");
        Assert.Contains("line 1, byte 1032: nested deeper than 1024", Refused(new() { RowLength = 1, Overwrite = true }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("utf-16", true)]
    [InlineData("utf-16BE", true)]
    [InlineData("utf-16", false)]
    [InlineData("utf-16BE", false)]
    public void Utf16_IsCalledSo(string encoding, bool mark)
    {
        byte[] text = Encoding.GetEncoding(encoding).GetBytes((mark ? "\uFEFF" : "") + "{\"text\": \"plain words\"}\n");
        foreach (string name in new[] { "a.jsonl", "a.txt", "a" })
            Assert.Contains("line 1: the text is UTF-16", Assert.Throws<TokenDataException>(() => CorpusFile.ReadTexts(_folder.Write(name, text))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileWhoseNameSaysNothing_IsWhatItsFirstLineIs()
    {
        const string line = "{\"text\": \"ab\", \"x\": NaN}";
        (IReadOnlyList<string> texts, bool plain) = CorpusFile.ReadTexts(_folder.Write("dump", line + "\n" + line));
        Assert.Equal(["ab", "ab"], texts);
        Assert.False(plain);
        foreach ((string name, string content) in new[] { ("a.txt", line), ("dump", "{" + line), ("dump", "ab " + line), ("dump", "{\n}") })
        {
            (texts, plain) = CorpusFile.ReadTexts(_folder.Write(name, content));
            Assert.Equal([content], texts);
            Assert.True(plain);
        }
    }

    [Theory]
    [InlineData(RowRemainder.Carry, 4)]        // 16 ids in all
    [InlineData(RowRemainder.Drop, 3)]         // 8 and 7 and 1 ids
    [InlineData(RowRemainder.DropAsLlmShearing, 2)]
    public void Remainder_DecidesTheRows(RowRemainder remainder, int expected)
    {
        _folder.Write("in/d/1.txt", "01234567");
        _folder.Write("in/d/2.txt", "abcdefg");
        _folder.Write("in/d/3.txt", "X");
        CorpusReport report = Tokenize(new() { RowLength = 4, AddBos = false, AddEos = false, Remainder = remainder });
        Assert.Equal(expected, report.Rows);
        Assert.Equal(16 - (4 * expected), report.Domains[0].DroppedTokens);
        TokenSource[] sources = [.. TokenShardIndex.Load(_folder["out/d/index.json"]).Sources];
        Assert.Equal(expected, sources.Sum(s => s.Rows));
        Assert.Equal(remainder == RowRemainder.Carry ? [0L, 2, 4] : remainder == RowRemainder.Drop ? [0L, 2, 3] : [0L, 1, 2], sources.Select(s => s.FirstRow));
    }

    [Fact]
    public void Rows_DoNotDependOnWorkersOrShardSize()
    {
        var random = new Random(3);
        for (int file = 0; file < 5; file++)
        {
            var text = new StringBuilder();
            for (int line = 0; line < 400; line++)
                text.Append(JsonSerializer.Serialize(new { text = new string((char)('a' + line % 26), random.Next(0, line % 50 == 0 ? 100_000 : 3000)) })).Append('\n');
            _folder.Write($"in/d/{file}.jsonl", text.ToString());
        }

        Tokenize(new() { RowLength = 100, Workers = 1, ShardBytes = 1 << 30 }, "one");
        Tokenize(new() { RowLength = 100, Workers = 7, ShardBytes = 100_000 }, "seven");
        using ITokenRows one = TokenRows.Open(_folder["one/d"]);
        using ITokenRows seven = TokenRows.Open(_folder["seven/d"]);
        Assert.Equal(one.All(), seven.All());
        Assert.True(Directory.GetFiles(_folder["seven/d"], "*.tok").Length > 10);
        Assert.Equal(TokenShardIndex.Load(_folder["one/d/index.json"]).Sources, TokenShardIndex.Load(_folder["seven/d/index.json"]).Sources);
    }

    [Fact]
    public void LongLines_CrossingBlocks_AreWhole()
    {
        string line = new('z', 5_000_001);
        _folder.Write("in/d/a.jsonl", $"{{\"text\":\"a\"}}\n{{\"text\":\"{line}\"}}\n{{\"text\":\"b\"}}\n");
        Tokenize(new() { RowLength = 1 });
        using ITokenRows rows = TokenRows.Open(_folder["out/d"]);
        Assert.Equal(line.Length + 2 + 6, rows.Count);
        Assert.Equal([2], rows.Row(rows.Count - 1));
        Assert.Equal(ByteTokenizer.Ids("b"), rows.Row(rows.Count - 2));
        Assert.Equal(ByteTokenizer.Ids("z"), rows.Row(rows.Count - 5));
    }

    [Theory]
    [InlineData("{\"text\":\"x\"}\n{oops\n", "a.jsonl, line 2, byte 1: not valid JSON")]
    [InlineData("\n{\"text\":\"x\"} {}\n", "a.jsonl, line 2, byte 13: not valid JSON")]
    [InlineData("{\"text\":\"x\n", "a.jsonl, line 1, byte ")]
    [InlineData("{\"text\":5}\n", "line 1: \"text\" is not text")]
    [InlineData("[1]\n", "line 1: expected a JSON object")]
    [InlineData("{\"a\":{\"text\":1},\"b\":2}\n", "line 1: no member \"text\"; there are: a, b.")]
    [InlineData("{\"text\":\"\\ud800\"}\n", "line 1: the text is not valid UTF-8")]
    public void BrokenRecords_NameFileAndLine(string content, string expected)
    {
        _folder.Write("in/d/a.jsonl", content);
        Assert.Contains(expected, Refused(new() { RowLength = 1 }), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["out/d/index.json"]));
    }

    [Fact]
    public void InvalidUtf8_IsRefusedOrReplaced()
    {
        _folder.Write("in/d/a.jsonl", [.. "{\"text\":\"x\"}\n{\"text\":\"a"u8, 0xFF, .. "b\\ud83d\\ude00\\udc00\\n\"}\n"u8]);
        _folder.Write("in/d/b.txt", [.. "ok\nno"u8, 0xC3]);
        Assert.Contains("a.jsonl, line 2: the text is not valid UTF-8", Refused(new() { RowLength = 1 }), StringComparison.Ordinal);
        CorpusReport report = Tokenize(new() { RowLength = 1, AddBos = false, AddEos = false, InvalidText = InvalidTextPolicy.Replace, Overwrite = true });
        Assert.Equal(ByteTokenizer.Ids("xa\uFFFDb😀\uFFFD\nok\nno\uFFFD"), Rows("d").Select(r => r[0]));
        Assert.Equal(2, report.Domains[0].RepairedDocuments);
        File.Delete(_folder["in/d/a.jsonl"]);
        Assert.Contains("b.txt, line 2: the text is not valid UTF-8", Refused(new() { RowLength = 1, Overwrite = true }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(InvalidTextPolicy.Refuse)]
    [InlineData(InvalidTextPolicy.Replace)]
    public void NamesWithHalfASurrogatePair_AreOtherMembers(InvalidTextPolicy policy)
    {
        var options = new CorpusTokenizerOptions { RowLength = 1, AddBos = false, AddEos = false, InvalidText = policy };
        _folder.Write("in/d/a.jsonl", "{\"\\udc00\":1,\"text\":\"ab\",\"\\ud83dx\":{\"\\ud800\":\"\\ud800\"}}\n");
        Assert.Equal(0, Tokenize(options).Domains[0].RepairedDocuments);
        Assert.Equal(ByteTokenizer.Ids("ab"), Rows("d").Select(r => r[0]));

        _folder.Write("in/d/a.jsonl", "{\"\\udc00x\":1,\"b\\n\":[2],\"c\":\"\\ud800\"}\n");
        Assert.Contains("a.jsonl, line 1: no member \"text\"; there are: \\udc00x, b\\n, c. Name the right one", Refused(new() { RowLength = 1, InvalidText = policy, Overwrite = true }), StringComparison.Ordinal);
    }

    [Fact]
    public void GZip_IsReadAndMustBeWhole()
    {
        byte[] packed = GZip("{\"text\":\"abc\"}\n");
        byte[] twice = [.. packed, .. GZip("{\"text\":\"de\"}\n")];
        string path = _folder.Write("in/d/a.jsonl.gz", twice);
        Tokenize(new() { RowLength = 1, AddBos = false, AddEos = false });
        Assert.Equal(ByteTokenizer.Ids("abcde"), Rows("d").Select(r => r[0]));
        foreach (byte[] damaged in new[] { twice[..^1], twice[..^9], packed[..20], [.. packed, 1, 2, 3] })
        {
            File.WriteAllBytes(path, damaged);
            Assert.Contains("a.jsonl.gz cannot be read:", Refused(new() { RowLength = 1, Overwrite = true }), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void EmptyDocuments_AreKeptWhenAsked()
    {
        _folder.Write("in/d/a.jsonl", "{\"text\":\"\"}\n{\"text\":\"q\"}\n{\"text\":\"\"}\n");
        Assert.Equal(2, Tokenize(new() { RowLength = 1 }).Domains[0].EmptyDocuments);
        Assert.Equal([[1], ByteTokenizer.Ids("q"), [2]], Rows("d"));
        Tokenize(new() { RowLength = 1, KeepEmptyDocuments = true, Overwrite = true });
        Assert.Equal([[1], [2], [1], ByteTokenizer.Ids("q"), [2], [1], [2]], Rows("d"));
    }

    [Fact]
    public void NothingToDo_IsAClearError()
    {
        Directory.CreateDirectory(_folder["in/d"]);
        Assert.Contains("has no text files (.jsonl", Refused(new()), StringComparison.Ordinal);
        _folder.Write("in/d/a.txt", "short");
        Assert.Contains("'d' has 7 tokens in 1 files, which give no row of 4096", Refused(new()), StringComparison.Ordinal);
        Assert.DoesNotContain(_folder.Files, f => f.StartsWith("out", StringComparison.Ordinal));
        _folder.Write("in/d/a.txt", "");
        Assert.Contains("'d' has 0 tokens", Refused(new()), StringComparison.Ordinal);
        _folder.Write("in/own.txt", "beside");
        Assert.Contains("domains are not clear", Refused(new()), StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<TokenDataException>(() => CorpusDomain.Discover(_folder["none"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Domains_WithOneName_AreRefused()
    {
        string a = _folder.Write("x/wiki.jsonl", "{\"text\":\"a\"}");
        string b = _folder.Write("y/wiki.jsonl.gz", GZip("{\"text\":\"b\"}"));
        string message = Assert.Throws<TokenDataException>(() => Make(new()).Tokenize([.. CorpusDomain.Discover(a), .. CorpusDomain.Discover(b)], _folder["out"])).Message;
        Assert.Contains("Several domains are named 'wiki'", message, StringComparison.Ordinal);
        Assert.Contains(b, message, StringComparison.Ordinal);
        Assert.Contains("cannot be the name of a domain", Assert.Throws<TokenDataException>(() => Make(new()).Tokenize([CorpusDomain.Of("../x", a)], _folder["out"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TokenizerWithoutMarks_MustBeToldSo()
    {
        Assert.Contains("no BOS", Assert.Throws<TokenDataException>(() => new CorpusTokenizer(new ByteTokenizer(marks: false))).Message, StringComparison.Ordinal);
        Assert.Contains("no EOS", Assert.Throws<TokenDataException>(() => new CorpusTokenizer(new ByteTokenizer(marks: false), new() { AddBos = false })).Message, StringComparison.Ordinal);
        Assert.Contains("RowLength is 0", Assert.Throws<TokenDataException>(() => new CorpusTokenizer(new ByteTokenizer(), new() { RowLength = 0 })).Message, StringComparison.Ordinal);
    }

    private static byte[] GZip(string text)
    {
        using var result = new MemoryStream();
        using (var gzip = new GZipStream(result, CompressionLevel.Optimal))
            gzip.Write(Encoding.UTF8.GetBytes(text));
        return result.ToArray();
    }

    private static CorpusTokenizer Make(CorpusTokenizerOptions options) => new(new ByteTokenizer(), options);

    private CorpusReport Tokenize(CorpusTokenizerOptions options, string output = "out") => Make(options).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder[output]);

    private string Refused(CorpusTokenizerOptions options) => Assert.Throws<TokenDataException>(() => Tokenize(options)).Message;

    private int[][] Rows(string domain)
    {
        using ITokenRows rows = TokenRows.Open(_folder["out/" + domain]);
        return rows.All();
    }
}
