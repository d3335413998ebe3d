using System.Text.Json;
using LlmShearing.Cli.Input;

namespace LlmShearing.Cli.Tests;

public sealed class TokensTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Json_OneRowARecord()
    {
        string file = _scratch.Write("a.jsonl", "{\"text\":\"Once upon a time\"}\n\n{\"text\":\"\",\"other\":1}\n{\"text\":\"line\\u2028separator\"}\n");
        JsonElement json = Shear.Json("tokens", Shear.Demo, "--file", file);
        int[][] rows = json.GetProperty("rows").Deserialize<int[][]>()!;
        Assert.Equal(3, rows.Length);
        Assert.Equal([49, 989, 506, 265, 261, 656], rows[0]);
        Assert.Empty(rows[1]);
        Assert.Equal(2048, json.GetProperty("vocabulary_size").GetInt32());
    }

    [Fact]
    public void TokenizerFile_InsteadOfFolder_Works() =>
        Assert.Equal(1, Shear.Json("tokens", Path.Combine(Shear.Demo, "tokenizer.json"), "--text", "hi").GetProperty("rows").GetArrayLength());

    [Fact]
    public void PlainText_IsOneRecord() =>
        Assert.Equal(1, Shear.Json("tokens", Shear.Demo, "--file", _scratch.Write("a.txt", "one\ntwo\n")).GetProperty("rows").GetArrayLength());

    [Fact]
    public void Out_CanBeReadAsIds()
    {
        string ids = _scratch["ids.json"];
        ShearResult result = Shear.Run("tokens", Shear.Demo, "--text", "The city of Rome", "--out", ids);
        Assert.Equal(0, result.Code);
        Assert.Equal(IdsFile.Read(ids)[0], result.Out.Trim().Split(' ').Select(int.Parse));
        string fromJson = _scratch.Write("json.json", Shear.Run("tokens", Shear.Demo, "--text", "The city of Rome", "--json").Out);
        Assert.Equal(IdsFile.Read(ids), IdsFile.Read(fromJson));
    }

    [Fact]
    public void Field_Missing_NamesThoseThere()
    {
        string file = _scratch.Write("a.jsonl", "{\"body\":\"x\",\"id\":3}\n");
        Assert.Contains("a.jsonl, line 1: no member \"text\"; there are: body, id.", Shear.BadInput("tokens", Shear.Demo, "--file", file), StringComparison.Ordinal);
        Assert.Equal(1, Shear.Json("tokens", Shear.Demo, "--file", file, "--field", "body").GetProperty("rows").GetArrayLength());
    }

    [Theory]
    [InlineData("{\"text\":\"x\"}\n{oops\n", "line 2, byte 1: not valid JSON")]
    [InlineData("{\"text\":5}\n", "line 1: \"text\" is not text")]
    [InlineData("[1]\n", "line 1: expected a JSON object")]
    public void BrokenRecords_NameTheLine(string content, string expected) =>
        Assert.Contains(expected, Shear.BadInput("tokens", Shear.Demo, "--file", _scratch.Write("a.jsonl", content)), StringComparison.Ordinal);

    [Fact]
    public void FileProblems_NameTheFile()
    {
        Assert.Contains("missing.txt' does not exist", Shear.BadInput("tokens", Shear.Demo, "--file", _scratch["missing.txt"]), StringComparison.Ordinal);
        Assert.Contains("is a folder", Shear.BadInput("tokens", Shear.Demo, "--file", Path.GetDirectoryName(_scratch["x"])!), StringComparison.Ordinal);
        File.WriteAllBytes(_scratch["latin.txt"], [0x61, 0xE9, 0x62]);
        Assert.Contains("is not valid UTF-8", Shear.BadInput("tokens", Shear.Demo, "--file", _scratch["latin.txt"]), StringComparison.Ordinal);
        Assert.Contains("neither tokenizer.json nor tokenizer.model", Shear.BadInput("tokens", Path.GetDirectoryName(_scratch["x"])!, "--text", "x"), StringComparison.Ordinal);
    }

    [Fact]
    public void TextAndFile_Together_AreRefused() =>
        Assert.Contains("either --text or --file", Shear.BadInput("tokens", Shear.Demo), StringComparison.Ordinal);
}
