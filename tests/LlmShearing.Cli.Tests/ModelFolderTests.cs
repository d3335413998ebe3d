// Model folders as people have them: files that no list knows, generation settings, pointers, lengths beyond what the model was made for.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Tests;

public sealed class ModelFolderTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("convert")]
    [InlineData("prune", "--remove-layers", "1")]
    [InlineData("train", "--steps", "1", "--lr", "1e-4", "--micro-batch", "1", "--batch-size", "1")]
    public void Write_FilesBesideTheWeights_TravelOrAreNamed(params string[] command)
    {
        string model = Model();
        Directory.CreateDirectory(Path.Combine(model, "additional_chat_templates"));
        File.WriteAllText(Path.Combine(model, "additional_chat_templates", "tool_use.jinja"), "x");
        File.WriteAllText(Path.Combine(model, "tekken.json"), "{}");
        File.WriteAllText(Path.Combine(model, "pytorch_model.bin"), "x");
        string[] data = command[0] == "train" ? ["--file", Text(60)] : [];
        string[] whole = [command[0], model, .. command[1..], .. data, "--out", _scratch["out"]];
        JsonElement json = Shear.Json(whole);
        Assert.True(File.Exists(_scratch["out/additional_chat_templates/tool_use.jinja"]));
        Assert.True(File.Exists(_scratch["out/tekken.json"]));
        Assert.False(File.Exists(_scratch["out/pytorch_model.bin"]));
        Assert.Contains(json.GetProperty("warnings").EnumerateArray(), w => w.GetString()!.Contains("pytorch_model.bin", StringComparison.Ordinal));
        Assert.Contains("Left out of", Shear.Run([.. whole, "--force"]).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_FilesBesideTheWeights_TravelOrAreNamed()
    {
        string model = Model(), adapter = _scratch["adapter"];
        File.WriteAllText(Path.Combine(model, "tokenization_custom.py"), "x");
        File.WriteAllText(Path.Combine(model, "model.gguf"), "x");
        Shear.Json("tune", model, "--file", Text(60), "--steps", "1", "--micro-batch", "1", "--batch-size", "1", "--out", adapter);
        JsonElement json = Shear.Json("merge", model, "--adapter", adapter, "--out", _scratch["out"]);
        Assert.True(File.Exists(_scratch["out/tokenization_custom.py"]));
        Assert.Contains("model.gguf", Assert.Single(json.GetProperty("warnings").EnumerateArray()).GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_ExactLayoutOfUnevenPlan_NamesThePaddedOne()
    {
        string plan = _scratch["plan.json"];
        Shear.Json("plan", Shear.Demo, "--keep-intermediate", "3:0-99", "--out", plan);
        Assert.Contains("--layout padded", Shear.Run("apply", Shear.Demo, "--plan", plan, "--out", _scratch["exact"]).Error, StringComparison.Ordinal);
        Assert.DoesNotContain("--layout padded", Shear.Run("apply", Shear.Demo, "--plan", plan, "--out", _scratch["padded"], "--layout", "padded").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_StopsAtTheEndThatTheTokenizerNames_WhateverTheConfigSays()
    {
        string model = Model(), config = Path.Combine(model, "tokenizer_config.json");
        string[] command = ["generate", model, "--prompt", "The history of the city", "--max-new-tokens", "8"];
        int[] Ids(params string[] options) => Shear.Json([.. command, .. options]).GetProperty("ids").Deserialize<int[]>()!;
        int[] greedy = Ids();
        string end = TokenizerLoader.Load(model).IdToToken(greedy[4])!;
        File.WriteAllText(config, new JsonObject { ["eos_token"] = end }.ToJsonString());
        Assert.Equal(greedy[..(Array.IndexOf(greedy, greedy[4]) + 1)], Ids());
        Assert.Equal(greedy, Ids("--ignore-eos"));
    }

    [Fact]
    public void Generate_FollowsGenerationConfig_UnlessToldOtherwise()
    {
        string model = Model();
        string[] command = ["generate", model, "--prompt", "The history of the city", "--max-new-tokens", "8"];
        void Config(string json) => File.WriteAllText(Path.Combine(model, "generation_config.json"), json);
        int[] Ids(params string[] options) => Shear.Json([.. command, .. options]).GetProperty("ids").Deserialize<int[]>()!;
        Config("{}");
        int[] greedy = Ids();
        int stop = Array.IndexOf(greedy, greedy[4]);
        Config($$"""{"eos_token_id": [0, {{greedy[4]}}]}""");
        Assert.Equal(greedy[..(stop + 1)], Ids());
        Assert.Equal(greedy, Ids("--ignore-eos"));
        Config("""{"do_sample": true, "temperature": 1.5, "top_k": 0, "repetition_penalty": 1.3}""");
        Assert.NotEqual(greedy, Ids());
        Assert.Equal(greedy, Ids("--temperature", "0", "--repetition-penalty", "1"));
        Assert.Contains("sampling as generation_config.json asks", Shear.Run(command).Error, StringComparison.Ordinal);
        Config("""{"top_k": "many"}""");
        Assert.Contains("top_k", Shear.BadInput(command), StringComparison.Ordinal);
    }

    [Fact]
    public void Work_BeyondTheTrainedPositions_SaysSoOnce()
    {
        string model = Model(), config = Path.Combine(model, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"max_position_embeddings\": 1024", "\"max_position_embeddings\": 16", StringComparison.Ordinal));
        foreach (string[] command in (string[][])[["generate", model, "--prompt", "The", "--max-new-tokens", "40"], ["eval", model, "--ids", _scratch.Ids()], ["train", model, "--file", Text(60), "--steps", "2", "--micro-batch", "1", "--batch-size", "1", "--out", _scratch["out"]]])
        {
            ShearResult result = Shear.Run(command);
            Assert.Equal(0, result.Code);
            Assert.Equal(2, result.Error.Split("max_position_embeddings").Length);
        }
    }

    [Theory]
    [InlineData("model.safetensors", "generate", "--prompt", "a")]
    [InlineData("tokenizer.json", "generate", "--prompt", "a")]
    [InlineData("config.json", "inspect")]
    [InlineData("model.safetensors", "convert")]
    public void Read_GitLfsPointer_SaysSo(string file, params string[] command)
    {
        string model = Model();
        File.WriteAllText(Path.Combine(model, file), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4966184\n");
        string[] output = command[0] == "convert" ? ["--out", _scratch["out"]] : [];
        string error = Shear.BadInput([command[0], model, .. command[1..], .. output]);
        Assert.Contains(file, error, StringComparison.Ordinal);
        Assert.Contains("Git LFS pointer", error, StringComparison.Ordinal);
    }

    private string Model()
    {
        string model = _scratch["model"];
        Directory.CreateDirectory(model);
        foreach (string file in Directory.GetFiles(Shear.Demo))
            File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
        return model;
    }

    private string Text(int lines) => _scratch.Write("text.txt", string.Concat(Enumerable.Range(0, lines).Select(i => $"The city of number {i} has a long history of trade, and {i * 7} people live in it.\n")));
}
