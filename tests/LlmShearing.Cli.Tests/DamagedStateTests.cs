// What the tool keeps between calls, and what it is told in files: damaged or absurd, it is refused quickly and by name.
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Commands;
using LlmShearing.Cli.Terminal;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests;

public sealed class DamagedStateTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void StageFile_Damaged_SaysWhichToDelete()
    {
        StageFolder stages = StageFolder.Open(_scratch["w"], new JsonObject { ["a"] = 1 });
        JsonElement result = JsonDocument.Parse("""{ "stop": "completed", "message": "done", "domains": { "a": { "perplexity": 1.5 } }, "tokens": 7 }""").RootElement;
        stages.Stage("learn", () => result);
        string file = stages["learn.json"], json = File.ReadAllText(file);
        Assert.Equal(result.GetRawText(), stages.Stage("learn", () => throw new InvalidOperationException()).GetRawText());
        foreach ((string what, byte[] content) in JsonMutations.Of(json))
        {
            File.WriteAllBytes(file, content);
            UsageException error = Assert.Throws<UsageException>(() => stages.Stage("learn", () => throw new InvalidOperationException(what)));
            Assert.Contains(file, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Recipe_Damaged_IsRefusedOrUnderstood()
    {
        string recipe = """{ "preset": "small", "model": "M", "data": "D", "target": { "hidden": 96 }, "learn": { "steps": 5, "lr": 0.001, "seed": 3 }, "continue": { "steps": 1, "batch-size": 4 }, "proportions": { "a": 0.5 }, "reference-losses": { "a": 2.5 } }""";
        foreach ((string what, byte[] content) in JsonMutations.Of(recipe, 4))
        {
            File.WriteAllBytes(_scratch["r.json"], content);
            ShearResult result = Shear.Run("run", _scratch["r.json"], "--dry-run");
            Assert.True(result.Code is 0 or 2, $"{what}: {result.Error}");
        }
    }

    [Theory]
    [InlineData("learn", "batch-size", "2147483647", "from 1 to 1048576")]
    [InlineData("learn", "steps", "99999999999999999999", "--steps '99999999999999999999' does not fit")]
    [InlineData("continue", "micro-batch", "1e300", "--micro-batch '1e300' does not fit")]
    [InlineData("target", "hidden", "-1", "--hidden '-1' does not fit")]
    [InlineData("continue", "stepz", "1", "'stepz' is no setting of 'shear train'")]
    public void Recipe_AbsurdSetting_IsRefusedByTheDryRun(string part, string setting, string value, string message)
    {
        string error = Shear.BadInput("run", _scratch.Write("r.json", $$"""{ "model": "M", "{{part}}": { "{{setting}}": {{value}} } }"""), "--dry-run");
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Contains("r.json", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--batch-size", "1000000")]
    [InlineData("--batch-size", "60000", "--micro-batch", "60000")]
    [InlineData("--steps", "2147483647")]
    public void DryRun_OfMuchWork_AnswersQuickly(params string[] more)
    {
        string corpus = _scratch.Write("c.txt", new StringBuilder().Insert(0, "the quick brown fox jumps over the lazy dog. ", 800).ToString());
        var watch = Stopwatch.StartNew();
        string[] size = more.Contains("--micro-batch") ? [] : ["--micro-batch", "1"];
        JsonElement estimate = Shear.Json(["train", Shear.Demo, "--file", corpus, "--length", "32", "--dry-run", .. more, .. size]);
        Assert.True(estimate.GetProperty("flops_per_step").GetDouble() > 0);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData("--threads", "2147483647")]
    [InlineData("--tokens", "9223372036854775807")]
    [InlineData("--length", "2147483647")]
    public void AbsurdOption_IsRefused(string option, string value) =>
        Assert.Contains($"{option} '{value}' does not fit: give a whole number from", Shear.BadInput("train", Shear.Demo, "--file", "x", "--out", _scratch["o"], option, value), StringComparison.Ordinal);
}
