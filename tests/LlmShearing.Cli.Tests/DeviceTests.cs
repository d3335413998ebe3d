// --device and --compute: what is chosen, said, kept and refused.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Devices;

namespace LlmShearing.Cli.Tests;

public sealed class DeviceTests : IDisposable
{
    // What auto comes to on this machine.
    private static readonly string Auto = ComputeType.NameOf(ComputeType.Resolve("auto", TorchSharp.torch.CPU));

    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("score")]
    [InlineData("eval")]
    [InlineData("prune")]
    [InlineData("generate")]
    [InlineData("train")]
    [InlineData("tune")]
    [InlineData("learn")]
    [InlineData("reference-loss")]
    [InlineData("run")]
    public void Verb_UnknownOrMissingDevice_OneLineThatSaysWhichAreThere(string verb)
    {
        Assert.Matches(@"^shear: There is no device 'gpu'\. Give auto, cpu, cuda, cuda:N or mps\. Here are: cpu.*\n$", Shear.BadInput([.. Command(verb), "--device", "gpu"]));
        Assert.Matches(@"^shear: The device 'cuda:998' is not there\. Here are: cpu.*\n$", Shear.BadInput([.. Command(verb), "--device", "cuda:998"]));
        Assert.False(Directory.Exists(_scratch["out.run"]) && File.Exists(Path.Combine(_scratch["out.run"], "run.json")), "nothing was begun");
    }

    [Theory]
    [InlineData("train")]
    [InlineData("tune")]
    [InlineData("learn")]
    [InlineData("run")]
    public void Training_InFloat16_IsRefusedBeforeWork(string verb) =>
        Assert.Contains("float16 is not possible in training", Shear.BadInput([.. Command(verb), "--compute", "float16"]), StringComparison.Ordinal);

    [Theory]
    [InlineData("score", "float16")]
    [InlineData("score", "auto")]
    [InlineData("eval", "float16")]
    [InlineData("eval", "auto")]
    [InlineData("generate", "float16")]
    [InlineData("generate", "auto")]
    public void Reading_InTheTypeAskedFor_SaysIt(string verb, string type)
    {
        ShearResult result = Shear.Run([.. Command(verb), "--device", "cpu", "--compute", type]);
        Assert.Equal(0, result.Code);
        Assert.StartsWith($"computes on cpu in {(type == "auto" ? Auto : type)}\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_ByDefault_IsFloat32() =>
        Assert.StartsWith("computes on cpu in float32\n", Shear.Run([.. Command("eval"), "--device", "cpu"]).Error, StringComparison.Ordinal);

    [Theory]
    [InlineData("train")]
    [InlineData("tune")]
    [InlineData("learn")]
    public void Training_ByDefault_IsAutoAndSaysSo(string verb)
    {
        ShearResult result = Shear.Run([.. Command(verb), "--device", "cpu"]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains($"computes on cpu in {Auto}\n", result.Error, StringComparison.Ordinal);
        JsonNode run = JsonNode.Parse(File.ReadAllText(Path.Combine(_scratch["out.run"], "run.json")))!;
        Assert.Equal("cpu", run["device"]!.ToString());
        Assert.Equal(Auto, run["configuration"]!["trainable"]!["dtype"]!.ToString().ToLowerInvariant());
    }

    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    public void Training_GoneOnWithAuto_KeepsTheTypeOfTheRunAndRefusesAnother(string type)
    {
        // On a machine where auto means the other of the two, this is what moving a run there does.
        string[] first = [.. Command("train"), "--compute", type], more = [.. Command("train", steps: "3"), "--force", "--allow-change", "Steps"];
        Assert.Equal(0, Shear.Run(first).Code);
        ShearResult kept = Shear.Run(more);
        Assert.True(kept.Code == 0, kept.Error);
        Assert.Contains($"in {type}, as the run was begun", kept.Error, StringComparison.Ordinal);
        string other = type == "float32" ? "bfloat16" : "float32";
        Assert.Contains("trainable.dtype was", Shear.BadInput([.. more, "--compute", other]), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_GoneOnWithAuto_KeepsTheTypeOfItsFirstStage()
    {
        string other = Auto == "float32" ? "bfloat16" : "float32";
        string[] command = Command("run");
        ShearResult first = Shear.Run([.. command, "--compute", other, "--json"]);
        Assert.True(first.Code == 0, first.Error);
        Directory.Delete(Path.Combine(_scratch["out.run"], "continue.run"), recursive: true);
        File.Delete(Path.Combine(_scratch["out.run"], "continue.json"));
        ShearResult second = Shear.Run([.. command, "--force", "--json"]);
        Assert.True(second.Code == 0, second.Error);
        Assert.Contains($"in {other}, as the run was begun", second.Error, StringComparison.Ordinal);
        JsonNode run = JsonNode.Parse(File.ReadAllText(Path.Combine(_scratch["out.run"], "continue.run", "run.json")))!;
        Assert.Equal(other, run["configuration"]!["trainable"]!["dtype"]!.ToString().ToLowerInvariant());
    }

    private string[] Command(string verb, string steps = "2")
    {
        string corpus = _scratch.Write("corpus.txt", string.Join(' ', Enumerable.Range(0, 300).Select(i => $"the {(i % 7 == 0 ? "quick" : "slow")} fox number {i} ran")));
        string[] training = ["--file", corpus, "--length", "32", "--batch-size", "2", "--steps", steps, "--out", _scratch["out"]];
        string[] sizes = ["--hidden", "96", "--intermediate", "256", "--accept-unconverged"];
        return verb switch
        {
            "score" => ["score", Shear.Demo, "--scorer", "block-influence", "--ids", _scratch.Ids()],
            "eval" => ["eval", Shear.Demo, "--ids", _scratch.Ids()],
            "prune" => ["prune", Shear.Demo, "--scorer", "block-influence", "--remove", "2", "--ids", _scratch.Ids(), "--out", _scratch["out"]],
            "generate" => ["generate", Shear.Demo, "--prompt-ids", "5,6", "--max-new-tokens", "3"],
            "reference-loss" => ["reference-loss", Shear.Demo, "--data", _scratch["rows"], "--out", _scratch["losses.json"]],
            "run" => ["run", Recipe(corpus), "--out", _scratch["out"]],
            "learn" => ["learn", Shear.Demo, .. sizes, .. training],
            _ => [verb, Shear.Demo, .. training],
        };
    }

    private string Recipe(string corpus)
    {
        JsonObject Training() => new() { ["file"] = corpus, ["length"] = 32, ["steps"] = 2, ["batch-size"] = 2 };
        JsonObject learn = Training();
        learn["accept-unconverged"] = true;
        return _scratch.Write("recipe.json", new JsonObject
        {
            ["model"] = Shear.Demo,
            ["target"] = new JsonObject { ["hidden"] = 96, ["intermediate"] = 256 },
            ["learn"] = learn,
            ["continue"] = Training(),
        }.ToJsonString());
    }
}
