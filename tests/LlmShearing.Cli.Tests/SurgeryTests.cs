// apply, prune and convert: what they write, what they refuse, and that nothing half-written is left.
using System.Text.Json;

namespace LlmShearing.Cli.Tests;

public sealed class SurgeryTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("exact")]
    [InlineData("padded")]
    public void Apply_UnevenPlan_HasThePerplexityThatThePlanHad(string layout)
    {
        string plan = _scratch["plan.json"], ids = _scratch.Ids(), target = _scratch["out"];
        Shear.Json("plan", Shear.Demo, "--keep-layers", "0-3,6-11", "--keep-query-heads", "1:0-1;2:0,2", "--keep-intermediate", "3:0-99", "--keep-hidden", "0-100", "--out", plan);
        double planned = Nll(Shear.Demo, ids, "--plan", plan);
        JsonElement json = Shear.Json("apply", Shear.Demo, "--plan", plan, "--out", target, "--layout", layout, "--dtype", "float32");
        Assert.Equal(10, json.GetProperty("layers").GetInt32());
        Assert.Equal("float32", json.GetProperty("dtype").GetString());
        Assert.Equal(planned, Nll(target, ids), 1e-5);
        Assert.True(File.Exists(Path.Combine(target, "tokenizer.json")));
    }

    [Fact]
    public void Apply_PlainLayoutOfUnevenPlan_IsRefused()
    {
        string plan = _scratch["plan.json"];
        Shear.Json("plan", Shear.Demo, "--keep-intermediate", "3:0-99", "--out", plan);
        Assert.Contains("an ordinary Hugging Face folder cannot describe", Shear.BadInput("apply", Shear.Demo, "--plan", plan, "--out", _scratch["out"], "--layout", "plain"), StringComparison.Ordinal);
        Assert.Equal(["plan.json"], _scratch.Names);
    }

    [Fact]
    public void Prune_Json_SaysWhatWentAndWhatItCost()
    {
        string ids = _scratch.Ids(), target = _scratch["out"];
        JsonElement json = Shear.Json("prune", Shear.Demo, "--scorer", "block-perplexity", "--remove", "3", "--ids", ids, "--out", target, "--evaluate", ids, "--plan-out", _scratch["plan.json"]);
        int[] removed = json.GetProperty("removed").Deserialize<int[]>()!, order = json.GetProperty("order").Deserialize<int[]>()!;
        Assert.Equal(order.Where(b => b is >= 4 and < 10).Take(3), removed);
        Assert.Equal((2_477_184, 1_923_456), (json.GetProperty("parameters_before").GetInt64(), json.GetProperty("parameters_after").GetInt64()));
        Assert.Equal(Math.Exp(Nll(Shear.Demo, ids)), json.GetProperty("perplexity_before").GetDouble(), 1e-6);
        Assert.Equal(Math.Exp(Nll(target, ids)), json.GetProperty("perplexity_after").GetDouble(), 1e-6);
        Assert.Equal(removed, PruningPlan.Load(_scratch["plan.json"]).Provenance!.RemovedBlocks);
    }

    [Fact]
    public void Convert_ShardsAndDtype_KeepTheModel()
    {
        string target = _scratch["out"], ids = _scratch.Ids();
        JsonElement json = Shear.Json("convert", Shear.Demo, "--out", target, "--dtype", "float32", "--max-shard-size", "3MB");
        Assert.True(json.GetProperty("files").GetInt32() >= 3);
        Assert.Equal(Nll(Shear.Demo, ids), Nll(target, ids), 1e-9);
        string back = _scratch["back"];
        Shear.Json("convert", target, "--out", back, "--dtype", "bfloat16");
        Assert.Equal(File.ReadAllBytes(Path.Combine(Shear.Demo, "model.safetensors")).Length, File.ReadAllBytes(Path.Combine(back, "model.safetensors")).Length);
    }

    [Fact]
    public void Out_ExistsAlready_NeedsForce()
    {
        string target = _scratch["out"];
        Shear.Json("convert", Shear.Demo, "--out", target);
        foreach (string[] command in (string[][])[["convert", Shear.Demo, "--dtype", "float16"], ["prune", Shear.Demo, "--scorer", "magnitude", "--remove", "1"]])
        {
            string error = Shear.BadInput([.. command, "--out", target]);
            Assert.Contains("exists already", error, StringComparison.Ordinal);
            Assert.Contains("Choose another name, or give --force", error, StringComparison.Ordinal);
        }

        ShearResult same = Shear.Run("convert", Shear.Demo, "--out", target);
        Assert.Equal(0, same.Code);
        Assert.Contains("is complete", same.Error, StringComparison.Ordinal);
        Assert.Contains("was complete already", same.Out, StringComparison.Ordinal);
        Shear.Json("convert", Shear.Demo, "--out", target, "--force");
    }

    [Fact]
    public void Force_OnAFolderThatIsNoModel_IsRefused()
    {
        Directory.CreateDirectory(_scratch["precious"]);
        _scratch.Write("precious/letter.txt", "dear");
        Assert.Contains("will not be replaced", Shear.BadInput("convert", Shear.Demo, "--out", _scratch["precious"], "--force"), StringComparison.Ordinal);
        Assert.True(File.Exists(_scratch["precious/letter.txt"]));
    }

    [Fact]
    public void Out_Missing_IsUsage()
    {
        Assert.Contains("Give --out FOLDER", Shear.BadInput("convert", Shear.Demo), StringComparison.Ordinal);
        Assert.Contains("Give --plan FILE", Shear.BadInput("apply", Shear.Demo, "--out", _scratch["out"]), StringComparison.Ordinal);
        Assert.Contains("no-plan.json", Shear.BadInput("apply", Shear.Demo, "--out", _scratch["out"], "--plan", _scratch["no-plan.json"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(30)]
    public void Apply_Cancelled_LeavesNothing(int report)
    {
        string plan = _scratch["plan.json"];
        Shear.Json("plan", Shear.Demo, "--remove-layers", "5", "--out", plan);
        ShearResult result = Shear.CancelAtReport(report, "apply", Shear.Demo, "--plan", plan, "--out", _scratch["out"]);
        Assert.Equal((1, "shear: cancelled\n"), (result.Code, result.Error));
        Assert.Equal(["plan.json"], _scratch.Names);
    }

    private static double Nll(string model, string ids, params string[] options) =>
        Shear.Json(["eval", model, "--ids", ids, .. options]).GetProperty("nll").GetDouble();
}
