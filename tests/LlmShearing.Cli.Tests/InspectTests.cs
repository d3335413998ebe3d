using System.Text.Json;

namespace LlmShearing.Cli.Tests;

public sealed class InspectTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Json_HasShapeParametersAndFiles()
    {
        JsonElement json = Shear.Json("inspect", Shear.Demo);
        Assert.Equal(2_477_184, json.GetProperty("parameters").GetInt64());
        Assert.Equal(12, json.GetProperty("layers").GetInt32());
        Assert.Equal("bfloat16", json.GetProperty("dtype").GetString());
        Assert.Equal("model.safetensors", json.GetProperty("files")[0].GetProperty("name").GetString());
        Assert.Equal(12, json.GetProperty("blocks").GetArrayLength());
    }

    [Fact]
    public void Plan_IsDrawnBlockByBlock()
    {
        string plan = _scratch["plan.json"];
        Shear.Json("plan", Shear.Demo, "--keep-layers", "0-3,6-11", "--keep-query-heads", "1:0-1;2:0,2", "--keep-hidden", "0-95", "--out", plan);
        string picture = Shear.Run("inspect", Shear.Demo, "--plan", plan).Out;
        Assert.Matches(@"\n +1 +1 ██·· +2/4 1/2 ", picture);
        Assert.Matches(@"\n +2 +2 █·█· +2/4 2/2 ", picture);
        Assert.Matches(@"\n +4 +removed", picture);
        Assert.Contains("██████████████████······  96/128", picture, StringComparison.Ordinal);
        Assert.Contains("blocks   10/12, removed 4-5", picture, StringComparison.Ordinal);
        JsonElement json = Shear.Json("inspect", Shear.Demo, "--plan", plan).GetProperty("plan");
        Assert.Equal([4, 5], json.GetProperty("removed").Deserialize<int[]>()!);
        Assert.Equal(1, json.GetProperty("blocks")[1].GetProperty("key_value_heads").GetInt32());
    }

    [Fact]
    public void Plan_ForAnotherModel_IsRefused()
    {
        string smaller = _scratch["smaller"], plan = _scratch["plan.json"];
        Shear.Json("plan", Shear.Demo, "--remove-layers", "5", "--out", plan);
        Shear.Json("apply", Shear.Demo, "--plan", plan, "--out", smaller);
        foreach (string verb in (string[])["inspect", "apply", "eval"])
            Assert.Contains(
                "The plan was made for another model: number of blocks: expected 12, found 11",
                Shear.BadInput([verb, smaller, "--plan", plan, .. verb == "apply" ? ["--out", _scratch["x"]] : verb == "eval" ? ["--ids", _scratch.Ids()] : Array.Empty<string>()]),
                StringComparison.Ordinal);
    }

    [Fact]
    public void Folder_MissingOrEmpty_IsNamed()
    {
        Assert.Contains("nowhere", Shear.BadInput("inspect", "nowhere"), StringComparison.Ordinal);
        Assert.Contains("config.json", Shear.BadInput("inspect", Path.GetDirectoryName(_scratch["x"])!), StringComparison.Ordinal);
    }
}
