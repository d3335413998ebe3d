using System.Text.Json;

namespace LlmShearing.Cli.Tests;

public sealed class PlanTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Scores_ThenPlan_RemovesTheLeastImportantThatMayGo()
    {
        string scores = _scratch["scores.json"], plan = _scratch["plan.json"];
        int[] order = Shear.Json("score", Shear.Demo, "--scorer", "block-influence", "--ids", _scratch.Ids(), "--out", scores).GetProperty("order").Deserialize<int[]>()!;
        JsonElement json = Shear.Json("plan", Shear.Demo, "--scores", scores, "--remove", "2", "--out", plan);
        Assert.Equal(order.Where(b => b is >= 4 and < 10).Take(2), json.GetProperty("removed").Deserialize<int[]>()!);
        JsonElement open = Shear.Json("plan", Shear.Demo, "--scores", scores, "--remove", "2", "--protect-first", "0", "--protect-last", "0");
        Assert.Equal(order.Take(2), open.GetProperty("removed").Deserialize<int[]>()!);
        PruningPlan read = PruningPlan.Load(plan);
        Assert.Equal(("block-influence", "block-depth", "demo-llama-2.5m"), (read.Provenance!.Scorer, read.Provenance.Strategy, read.Provenance.Model));
    }

    [Fact]
    public void Iterative_ScoresAgain_AndRecordsTheOrder()
    {
        JsonElement json = Shear.Json("plan", Shear.Demo, "--scorer", "block-perplexity", "--ids", _scratch.Ids(), "--remove", "2", "--iterative");
        Assert.Equal("block-depth-iterative", json.GetProperty("strategy").GetString());
        Assert.Equal(2, json.GetProperty("removed").GetArrayLength());
    }

    [Fact]
    public void Contiguous_RemovesNeighbours()
    {
        int[] removed = Shear.Json("plan", Shear.Demo, "--scorer", "angular", "--ids", _scratch.Ids(), "--ratio", "0.25", "--contiguous").GetProperty("removed").Deserialize<int[]>()!;
        Assert.Equal(Enumerable.Range(removed[0], 3), removed);
    }

    [Fact]
    public void TargetParameters_StopsWhenReached()
    {
        JsonElement json = Shear.Json("plan", Shear.Demo, "--scorer", "magnitude", "--target-parameters", "2_000_000");
        Assert.Equal(3, json.GetProperty("removed").GetArrayLength());
        Assert.Equal(1_923_456, json.GetProperty("parameters_after").GetInt64());
    }

    [Fact]
    public void Sizes_AreReachedExactly()
    {
        JsonElement json = Shear.Json("plan", Shear.Demo, "--scorer", "gate-taylor", "--ids", _scratch.Ids(), "--hidden", "96", "--heads", "2", "--intermediate", "200");
        Assert.Equal((96, 2, 1, 200, true), (
            json.GetProperty("hidden_after").GetInt32(), json.GetProperty("blocks")[0].GetProperty("query_heads").GetInt32(),
            json.GetProperty("blocks")[0].GetProperty("key_value_heads").GetInt32(), json.GetProperty("blocks")[0].GetProperty("intermediate_size").GetInt32(),
            json.GetProperty("uniform").GetBoolean()));
    }

    [Fact]
    public void RemoveLayers_KeepsTheOrderWritten_AndProtectsNothingByDefault() =>
        Assert.Equal([11, 0, 4, 5], Shear.Json("plan", Shear.Demo, "--remove-layers", "11,0,4-5").GetProperty("removed").Deserialize<int[]>()!);

    [Theory]
    [InlineData("Nothing says what should go", new string[0])]
    [InlineData("only 6 may", new[] { "--scorer", "magnitude", "--remove", "7" })]
    [InlineData("one has to stay", new[] { "--scorer", "magnitude", "--remove", "12", "--protect-first", "0", "--protect-last", "0" })]
    [InlineData("Block 12 cannot be removed", new[] { "--remove-layers", "12" })]
    [InlineData("--remove-layers: 'x'", new[] { "--remove-layers", "x" })]
    [InlineData("hidden", new[] { "--scorer", "magnitude", "--hidden", "256" })]
    [InlineData("Given are both", new[] { "--scorer", "magnitude", "--hidden", "64", "--remove", "2" })]
    [InlineData("No criterion is given", new[] { "--remove", "2" })]
    [InlineData("--keep-query-heads: ", new[] { "--keep-query-heads", "q" })]
    [InlineData("block 12 does not exist", new[] { "--keep-layers", "0-12" })]
    [InlineData("have no block windows", new[] { "--scorer", "magnitude", "--remove", "2", "--contiguous" })]
    [InlineData("which iterative removal needs", new[] { "--scorer", "magnitude", "--remove", "2", "--iterative" })]
    [InlineData("--ratio '1.5' does not fit", new[] { "--ratio", "1.5" })]
    public void Requests_ThatCannotBeMet_SayWhy(string expected, string[] options) =>
        Assert.Contains(expected, Shear.BadInput(["plan", Shear.Demo, .. options]), StringComparison.Ordinal);

    [Fact]
    public void ScoresFile_BrokenOrOfAnotherModel_IsRefused()
    {
        Assert.Contains("broken.json", Shear.BadInput("plan", Shear.Demo, "--scores", _scratch.Write("broken.json", "{"), "--remove", "1"), StringComparison.Ordinal);
        string smaller = _scratch["smaller"], plan = _scratch["plan.json"], scores = _scratch["scores.json"];
        Shear.Json("plan", Shear.Demo, "--remove-layers", "5", "--out", plan);
        Shear.Json("apply", Shear.Demo, "--plan", plan, "--out", smaller);
        Shear.Json("score", smaller, "--scorer", "magnitude", "--out", scores);
        Assert.Contains("scores.json has scores of another model", Shear.BadInput("plan", Shear.Demo, "--scores", scores, "--remove", "1"), StringComparison.Ordinal);
    }
}
