using System.Text.Json;
using LlmShearing.Cli.Input;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests;

public sealed class EvalTests : IDisposable
{
    private const string Model = "eval/models/tiny-bpe512";
    private const string Inputs = "eval/ppl/inputs";
    private const string Expected = "eval/ppl/tiny-bpe512/block.json";
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    // Published protocols on text, against what their own code gives.
    [GoldenTheory(Model, Inputs, Expected)]
    [InlineData("wikitext2-llmpruner-128", "wikitext_rows.jsonl", "llm-pruner")]
    [InlineData("wikitext2-shortened-bosfirst-128", "wikitext_rows.jsonl", "shortened-llama")]
    [InlineData("wikitext2-shortened-bosevery-128", "wikitext_rows.jsonl", "shortened-llama-bos")]
    [InlineData("wikitext2-flap-128", "wikitext_rows.jsonl", "flap")]
    [InlineData("ptb-llmpruner-128", "ptb_sentences.jsonl", "llm-pruner", "--field", "sentence")]
    [InlineData("c4-flap-128", "c4_docs.jsonl", "flap", "--join", " ", "--max-windows", "256", "--stream")]
    public void Protocols_OnText_GiveThePublishedNumbers(string id, string file, string protocol, params string[] options)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(Expected)));
        JsonElement expected = document.RootElement.GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("case").GetString() == id);
        JsonElement json = Shear.Json(["eval", Goldens.Path(Model), "--file", Path.Combine(Goldens.Path(Inputs), file), "--protocol", protocol, "--length", "128", .. options]);
        Assert.Equal(expected.GetProperty("n_windows").GetInt32(), json.GetProperty("windows").GetInt32());
        Assert.Equal(expected.GetProperty("tokens_scored").GetInt64(), json.GetProperty("tokens").GetInt64());
        Assert.InRange(json.GetProperty("perplexity").GetDouble() / expected.GetProperty("ppl").GetDouble(), 1 - 1e-5, 1 + 1e-5);
    }

    [GoldenTheory(Model, Inputs, Expected)]
    [InlineData("strided-256-128", "256", "128")]
    [InlineData("strided-192-50", "192", "50")]
    public void Strided_OnIdsOfText_GivesTheDocumentedNumbers(string id, string length, string stride)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(Expected)));
        double expected = document.RootElement.GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("case").GetString() == id).GetProperty("ppl").GetDouble();
        string text = string.Join("\n\n", TextFile.Read(Path.Combine(Goldens.Path(Inputs), "wikitext_rows.jsonl"), null).Records);
        int[] stream = Shear.Json("tokens", Goldens.Path(Model), "--file", _scratch.Write("joined.txt", text)).GetProperty("rows")[0].Deserialize<int[]>()!;
        string ids = _scratch.Write("ids.json", JsonSerializer.Serialize(new[] { stream[..3000] }));
        JsonElement json = Shear.Json("eval", Goldens.Path(Model), "--ids", ids, "--protocol", "strided", "--length", length, "--stride", stride);
        Assert.InRange(json.GetProperty("perplexity").GetDouble() / expected, 1 - 1e-5, 1 + 1e-5);
    }

    [Fact]
    public void Ids_PerSequence_AddUp()
    {
        JsonElement json = Shear.Json("eval", Shear.Demo, "--ids", _scratch.Write("ids.json", "[[1,2,3,4,5],[6,7,8]]"), "--per-sequence");
        JsonElement[] windows = [.. json.GetProperty("per_sequence").EnumerateArray()];
        Assert.Equal([4, 2], windows.Select(w => w.GetProperty("tokens").GetInt32()));
        double mean = windows.Sum(w => w.GetProperty("nll").GetDouble() * w.GetProperty("tokens").GetInt32()) / 6;
        Assert.Equal(mean, json.GetProperty("nll").GetDouble(), 1e-9);
        Assert.Equal(Math.Exp(mean), json.GetProperty("perplexity").GetDouble(), 1e-6);
    }

    [Fact]
    public void Table_ShowsTheProtocol() =>
        Assert.Contains("(protocol rows, 3 windows, 69 tokens, ", Shear.Run("eval", Shear.Demo, "--ids", _scratch.Ids()).Out, StringComparison.Ordinal);

    [Fact]
    public void Input_ThatCannotBeScored_IsRefused()
    {
        Assert.Contains("There is no text to read", Shear.BadInput("eval", Shear.Demo), StringComparison.Ordinal);
        Assert.Contains("2048", Shear.BadInput("eval", Shear.Demo, "--ids", _scratch.Write("big.json", "[[1,2048]]")), StringComparison.Ordinal);
        Shear.BadInput("eval", Shear.Demo, "--ids", _scratch.Write("short.json", "[[1]]"));
        Assert.Contains("--protocol 'gptq' does not fit: give one of documents", Shear.BadInput("eval", Shear.Demo, "--ids", _scratch.Ids(), "--protocol", "gptq"), StringComparison.Ordinal);
        Assert.Contains("stride", Shear.BadInput("eval", Shear.Demo, "--ids", _scratch.Ids(), "--protocol", "strided", "--length", "8", "--stride", "9"), StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelled_Midway_SaysSo()
    {
        ShearResult result = Shear.CancelAtReport(4, "eval", Shear.Demo, "--ids", _scratch.Ids(), "--device", "cpu", "--json");
        Assert.Equal((1, "{\"error\":\"cancelled\",\"kind\":\"cancelled\",\"exit_code\":1}\n", "computes on cpu in float32\nshear: cancelled\n"), (result.Code, result.Out, result.Error));
    }
}
