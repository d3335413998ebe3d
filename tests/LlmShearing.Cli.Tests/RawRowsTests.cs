using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests;

/// <summary>MDS ids of a width that no file states, in every verb that reads rows.</summary>
public sealed class RawRowsTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(8, "int64", null)]
    [InlineData(4, "int32", null)]
    [InlineData(2, "uint16", "int64")]
    [InlineData(2, "uint16", "int32")]
    public void AnotherWidth_IsRefusedByNameOrReadAsNamed(int width, string right, string? asked)
    {
        int[][] rows = Rows();
        RawMds.Write(_scratch["raw/wiki"], width, rows);
        RawMds.Write(_scratch["plain/wiki"], 2, rows);
        string[] wrong = asked is null ? [] : ["--mds-dtype", asked];
        string[][] verbs =
        [
            ["eval", Shear.Demo, "--data", _scratch["raw"]],
            ["reference-loss", Shear.Demo, "--data", _scratch["raw"], "--out", _scratch["losses.json"]],
            ["split", _scratch["raw"], "--held-out", "2", "--out", _scratch["split"]],
            ["train", Shear.Demo, "--data", _scratch["raw"], "--steps", "1", "--out", _scratch["out"]],
            ["train", Shear.Demo, "--data", _scratch["plain"], "--held-out", _scratch["raw"], "--steps", "1", "--out", _scratch["out"]],
        ];
        foreach (string[] verb in verbs)
        {
            // The rows of --data are read with the same option.
            if (asked is not null && verb.Contains("--held-out") && verb[0] == "train")
                continue;
            string message = Shear.BadInput([.. verb, .. wrong]);
            Assert.Contains(right, message, StringComparison.Ordinal);
            Assert.Contains(asked ?? "uint16", message, StringComparison.Ordinal);
            Assert.Contains("--mds-dtype", message, StringComparison.Ordinal);
        }

        Assert.Equal(["plain", "raw"], _scratch.Names);
        Assert.Equal(
            Shear.Json("eval", Shear.Demo, "--data", _scratch["plain"]).GetProperty("domains").ToString(),
            Shear.Json("eval", Shear.Demo, "--data", _scratch["raw"], "--mds-dtype", right).GetProperty("domains").ToString());
        Shear.Json("split", _scratch["raw"], "--held-out", "2", "--out", _scratch["split"], "--mds-dtype", right);
        Assert.Equal(16, LlmShearing.Data.TokenRows.Open(_scratch["split/held-out/wiki"]).RowLength);
    }

    [Fact]
    public void AnIdBeyondTheModel_IsRefusedByFileRowAndPosition()
    {
        int[][] rows = Rows();
        rows[7][3] = 2048;
        RawMds.Write(_scratch["raw/wiki"], 2, rows);
        string place = $"{_scratch["raw/wiki"]}, row 7, token 3: id 2048 is outside the model's vocabulary of 2048";
        Assert.Contains(place, Shear.BadInput("eval", Shear.Demo, "--data", _scratch["raw"]), StringComparison.Ordinal);
        Assert.Contains(place, Shear.BadInput("train", Shear.Demo, "--data", _scratch["raw"], "--steps", "1", "--out", _scratch["out"]), StringComparison.Ordinal);
        string ids = _scratch.Write("ids.json", "[[1,2,3,4],[1,2,2048,4]]");
        foreach (string[] verb in new[] { new[] { "eval", Shear.Demo }, ["score", Shear.Demo, "--scorer", "block-influence"] })
            Assert.Contains($"{ids}, row 1, token 2: id 2048 is outside the model's vocabulary of 2048", Shear.BadInput([.. verb, "--ids", ids]), StringComparison.Ordinal);
    }

    private static int[][] Rows()
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, 20).Select(_ => Enumerable.Range(0, 16).Select(_ => random.Next(1, 2048)).ToArray())];
    }
}
