using System.Text.Json;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Split;

namespace LlmShearing.Cli.Tests;

public sealed class TokenizeSplitTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public TokenizeSplitTests()
    {
        foreach (string domain in new[] { "wiki", "web" })
        {
            Directory.CreateDirectory(_scratch["corpus/" + domain]);
            for (int i = 0; i < 4; i++)
                File.WriteAllLines(_scratch[$"corpus/{domain}/{i}.jsonl"], Enumerable.Range(0, 30).Select(n => JsonSerializer.Serialize(new { text = $"The city of Rome, {domain} {i}, was not built in {n} days, they say." })));
        }
    }

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Tokenize_ThenSplit_GivesDisjointSets()
    {
        JsonElement made = Tokenize("--remainder", "drop");
        Assert.Equal(["web", "wiki"], made.GetProperty("domains").EnumerateArray().Select(d => d.GetProperty("name").GetString()!));
        Assert.Equal(120, made.GetProperty("domains")[0].GetProperty("documents").GetInt32());
        JsonElement split = Shear.Json("split", _scratch["rows"], "--held-out", "3", "--prune", "10", "--continue", "rest", "--proportions", "wiki=0.7,web=0.3", "--unit", "files", "--out", _scratch["split"]);
        JsonElement web = split.GetProperty("domains")[0];
        Assert.Equal((3, 3), (web.GetProperty("sets").GetProperty("held-out").GetInt32(), web.GetProperty("sets").GetProperty("prune").GetInt32()));
        SplitPlan plan = SplitPlan.Load(_scratch["split/split.json"]);
        using ITokenRows all = TokenRows.Open(_scratch["rows/wiki"]);
        using ITokenRows pruning = TokenRows.Open(_scratch["split/prune/wiki"]);
        Assert.Equal((7, 16), ((int)pruning.Count, pruning.RowLength));
        int[] expected = new int[16];
        int[] found = new int[16];
        all.Read(plan.Domains[1].Sets["prune"][6], expected);
        pruning.Read(6, found);
        Assert.Equal(expected, found);
        Assert.Contains("holds a split already", Shear.BadInput("split", _scratch["rows"], "--held-out", "3", "--out", _scratch["split"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mds", "rows/web")]
    [InlineData("npy", "rows/web.npy")]
    public void Tokenize_InOtherFormats_HoldsTheSameRows(string format, string path)
    {
        Tokenize("--format", format);
        using ITokenRows exported = TokenRows.Open(_scratch[path]);
        Shear.Json("tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "16", "--out", _scratch["own"]);
        using ITokenRows own = TokenRows.Open(_scratch["own/web"]);
        Assert.Equal(own.Count, exported.Count);
        int[] a = new int[16];
        int[] b = new int[16];
        for (long row = 0; row < own.Count; row++)
        {
            own.Read(row, a);
            exported.Read(row, b);
            Assert.Equal(a, b);
        }

        Assert.False(Directory.Exists(_scratch["rows/.rows"]));
        Tokenize("--format", format);   // the same again is complete
        foreach (string[] other in (string[][])[["16", "--no-eos"], ["17"]])
            Assert.Contains("holds rows already", Shear.BadInput(["tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--format", format, "--length", .. other, "--out", _scratch["rows"]]), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch["rows/.rows"]));
    }

    [Fact]
    public void Tokenize_Again_DoesNothing()
    {
        Tokenize();
        Assert.Equal(4, Tokenize().GetProperty("domains")[1].GetProperty("files_skipped").GetInt32());
        Assert.Contains("--overwrite", Shear.BadInput("tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "17", "--out", _scratch["rows"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Tokenize_NamedDomains()
    {
        JsonElement made = Shear.Json("tokenize", $"a={_scratch["corpus/web/0.jsonl"]}", $"b={_scratch["corpus/wiki"]}", "--tokenizer", Shear.Demo, "--length", "8", "--no-eos", "--out", _scratch["rows"]);
        Assert.Equal(["a", "b"], made.GetProperty("domains").EnumerateArray().Select(d => d.GetProperty("name").GetString()!));
    }

    [Fact]
    public void Tokenize_BadInput_IsExplained()
    {
        string[] start = ["tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo];
        Assert.Contains("Give --out DIR", Shear.BadInput(start), StringComparison.Ordinal);
        Assert.Contains("Give --tokenizer MODEL", Shear.BadInput("tokenize", _scratch["corpus"], "--out", _scratch["rows"]), StringComparison.Ordinal);
        Assert.Contains("does not exist", Shear.BadInput("tokenize", _scratch["nothing"], "--tokenizer", Shear.Demo, "--out", _scratch["rows"]), StringComparison.Ordinal);
        Assert.Contains("Several domains are named 'web'", Shear.BadInput("tokenize", _scratch["corpus"], $"web={_scratch["corpus/wiki"]}", "--tokenizer", Shear.Demo, "--out", _scratch["rows"]), StringComparison.Ordinal);
        Assert.Contains("a whole number from 1", Shear.Run([.. start, "--length", "0", "--out", _scratch["rows"]]).Error, StringComparison.Ordinal);
        Assert.Contains("give no row of 1000000", Shear.BadInput([.. start, "--length", "1000000", "--out", _scratch["rows"]]), StringComparison.Ordinal);
        File.AppendAllText(_scratch["corpus/web/2.jsonl"], "{broken\n");
        Assert.Contains("2.jsonl, line 31", Shear.BadInput([.. start, "--length", "16", "--out", _scratch["rows"]]), StringComparison.Ordinal);
    }

    [Fact]
    public void Split_BadInput_IsExplained()
    {
        Tokenize();
        string[] start = ["split", _scratch["rows"], "--out", _scratch["split"]];
        Assert.Contains("There is no set", Shear.BadInput(start), StringComparison.Ordinal);
        Assert.Contains("too short", Shear.BadInput([.. start, "--held-out", "100000"]), StringComparison.Ordinal);
        Assert.Contains("--prune 'x' does not fit", Shear.BadInput([.. start, "--prune", "x"]), StringComparison.Ordinal);
        Assert.Contains("--proportions 'web' does not fit", Shear.BadInput([.. start, "--prune", "1", "--proportions", "web"]), StringComparison.Ordinal);
        Assert.Contains("--remainder drop", Shear.BadInput([.. start, "--held-out", "1", "--unit", "files"]), StringComparison.Ordinal);
        Assert.Contains("--tokenizer", Shear.BadInput([.. start, "--held-out", "1", "--unit", "documents"]), StringComparison.Ordinal);
        Assert.Contains("There is no folder", Shear.BadInput("split", _scratch["none"], "--held-out", "1", "--out", _scratch["split"]), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch["split"]));
    }

    private JsonElement Tokenize(params string[] more) =>
        Shear.Json([.. (string[])["tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "16", "--out", _scratch["rows"]], .. more]);
}
