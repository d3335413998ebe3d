using System.Text.Json;
using LlmShearing.Data.Calibration;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests;

public sealed class ScoreTests : IDisposable
{
    private const string Models = "baselines/models/mha12";
    private const string Depth = "baselines/depth/scores.json";
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    // Calibration ids as the papers' sampler draws them: text rows of bytes, id = byte + 3, BOS 1 in front of the row.
    [GoldenTheory(Models, Depth, "baselines/depth/rows.json")]
    [InlineData("mha12.magnitude.p1.sum.sum", "magnitude", 2e-5)]
    [InlineData("mha12.magnitude.p2.sum.max", "magnitude", 2e-5, "--norm-power", "2", "--block-reduction", "max")]
    [InlineData("mha12.magnitude.p1.mean.prod", "magnitude", 2e-4, "--weight-reduction", "mean", "--block-reduction", "prod")]
    [InlineData("mha12.taylor.p1.sum.sum.b10", "taylor", 2e-5)]
    [InlineData("mha12.taylor.p1.sum.sum.b4", "taylor", 2e-5, "--batch-size", "4")]
    [InlineData("mha12.ppl", "block-perplexity", 2e-5)]
    public void Json_PapersCriteria_GiveTheirScoresAndOrder(string id, string scorer, double tolerance, params string[] options)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(Depth)));
        JsonElement expected = document.RootElement.EnumerateArray().Single(c => c.GetProperty("id").GetString() == id);
        JsonElement json = Shear.Json(["score", Goldens.Path(Models), "--scorer", scorer, "--ids", Calibration(), .. options]);
        double[] scores = json.GetProperty("scores").GetProperty("layers").Deserialize<double[]>()!;
        double[] wanted = expected.GetProperty("block_scores").Deserialize<double[]>()!;
        for (int i = 0; i < wanted.Length; i++)
            Assert.InRange(scores[i] / wanted[i], 1 - tolerance, 1 + tolerance);
        Assert.Equal(expected.GetProperty("order").Deserialize<int[]>(), json.GetProperty("order").Deserialize<int[]>());
    }

    [Fact]
    public void Angular_HasWindowsOfEveryLength()
    {
        JsonElement windows = Shear.Json("score", Shear.Demo, "--scorer", "angular", "--ids", _scratch.Ids()).GetProperty("windows");
        // One block has to stay: 1 to 11 blocks may go together, from 12 starts down to 2.
        Assert.Equal(Enumerable.Range(2, 11).Reverse(), windows.EnumerateArray().Select(w => w.GetArrayLength()));
    }

    [Fact]
    public void WidthAxes_HaveOneArrayALayer()
    {
        JsonElement scores = Shear.Json("score", Shear.Demo, "--scorer", "gate-taylor", "--axes", "hidden,query-heads,key_value_groups,intermediate", "--ids", _scratch.Ids()).GetProperty("scores");
        Assert.Equal(128, scores.GetProperty("hidden").GetArrayLength());
        Assert.Equal((12, 4), (scores.GetProperty("query_heads").GetArrayLength(), scores.GetProperty("query_heads")[0].GetArrayLength()));
        Assert.Equal((12, 2), (scores.GetProperty("key_value_groups").GetArrayLength(), scores.GetProperty("key_value_groups")[0].GetArrayLength()));
        Assert.Equal((12, 352), (scores.GetProperty("intermediate").GetArrayLength(), scores.GetProperty("intermediate")[0].GetArrayLength()));
    }

    [Fact]
    public void Stream_GivesTheSameScores()
    {
        string[] command = ["score", Shear.Demo, "--scorer", "block-influence", "--ids", _scratch.Ids()];
        double[] resident = Shear.Json(command).GetProperty("scores").GetProperty("layers").Deserialize<double[]>()!;
        double[] streamed = Shear.Json([.. command, "--stream"]).GetProperty("scores").GetProperty("layers").Deserialize<double[]>()!;
        Assert.All(resident.Zip(streamed), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void Text_IsSampledReproducibly()
    {
        string text = _scratch.Write("t.txt", string.Join(' ', Enumerable.Range(0, 400).Select(i => $"word{i % 37}")));
        string[] command = ["score", Shear.Demo, "--scorer", "block-influence", "--file", text, "--samples", "3", "--length", "32"];
        JsonElement first = Shear.Json(command);
        Assert.Equal(96, first.GetProperty("calibration").GetProperty("tokens").GetInt32());
        Assert.Equal(first.GetProperty("scores").GetRawText(), Shear.Json(command).GetProperty("scores").GetRawText());
        Assert.NotEqual(first.GetProperty("scores").GetRawText(), Shear.Json([.. command, "--seed", "5"]).GetProperty("scores").GetRawText());
    }

    [Fact]
    public void Scorer_Unknown_ListsThoseThere()
    {
        string error = Shear.BadInput("score", Shear.Demo, "--scorer", "tayler", "--ids", _scratch.Ids());
        Assert.Contains("'tayler' does not fit: give one of angular, block-influence, block-perplexity, gate-taylor, magnitude, random, taylor. Did you mean 'taylor'?", error, StringComparison.Ordinal);
        Assert.Contains("No criterion is given", Shear.BadInput("score", Shear.Demo), StringComparison.Ordinal);
    }

    [Fact]
    public void Axis_UnknownOrNotSupported_IsNamed()
    {
        Assert.Contains("'depth' is no axis", Shear.BadInput("score", Shear.Demo, "--scorer", "magnitude", "--axes", "depth"), StringComparison.Ordinal);
        Assert.Contains("cannot score Hidden", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--axes", "hidden", "--ids", _scratch.Ids()), StringComparison.Ordinal);
    }

    [Fact]
    public void Calibration_MissingEmptyOrForeign_IsRefused()
    {
        Assert.Contains("needs calibration data", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor"), StringComparison.Ordinal);
        Assert.Contains("has no rows", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--ids", _scratch.Write("none.json", "[]")), StringComparison.Ordinal);
        Assert.Contains("Row 0 is empty", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--ids", _scratch.Write("empty.json", "[[]]")), StringComparison.Ordinal);
        Assert.Contains("needs at least 2", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--ids", _scratch.Write("short.json", "[[5]]")), StringComparison.Ordinal);
        Assert.Contains("row 0, token 1: id 2048 is outside the model's vocabulary of 2048", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--ids", _scratch.Write("big.json", "[[1,2048]]")), StringComparison.Ordinal);
        Assert.Contains("a calibration window needs 128", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--file", _scratch.Write("t.txt", "too short")), StringComparison.Ordinal);
        Assert.Contains("Both --ids and --file", Shear.BadInput("score", Shear.Demo, "--scorer", "taylor", "--ids", _scratch.Ids(), "--file", _scratch["t.txt"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelled_Midway_SaysSoAndWritesNothing()
    {
        ShearResult result = Shear.CancelAtReport(3, "score", Shear.Demo, "--scorer", "block-perplexity", "--ids", _scratch.Ids(), "--out", _scratch["scores.json"], "--device", "cpu", "--json");
        Assert.Equal((1, "{\"error\":\"cancelled\",\"kind\":\"cancelled\",\"exit_code\":1}\n", "computes on cpu in float32\nshear: cancelled\n"), (result.Code, result.Out, result.Error));
        Assert.Equal(["ids.json"], _scratch.Names);
    }

    private string Calibration()
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("baselines/depth/rows.json")));
        string[] texts = [.. document.RootElement.GetProperty("calibration_rows").EnumerateArray().Select(r => r.GetString()!)];
        IReadOnlyList<int[]> rows = new Data.Calibration.CalibrationSampler(10, 128, 1234)
            .FromRows(texts.Length, row => [1, .. System.Text.Encoding.UTF8.GetBytes(texts[row]).Select(b => b + 3)]);
        return _scratch.Write("calibration.json", JsonSerializer.Serialize(rows));
    }
}
