using System.Text.Json;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests;

public sealed class TrainTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    // Enough text for a few rows of 32 tokens.
    private string Corpus(string name = "corpus.txt") =>
        _scratch.Write(name, string.Join(' ', Enumerable.Range(0, 400).Select(i => $"the {(i % 7 == 0 ? "quick" : "slow")} fox number {i} ran")));

    private string[] Train(string verb, string output, params string[] more) =>
        [verb, Shear.Demo, "--file", Corpus(), "--length", "32", "--batch-size", "4", "--micro-batch", "2", "--lr", "1e-3", "--out", _scratch[output], .. more];

    [Fact]
    public void Train_OnText_LowersTheLossAndWritesAFolder()
    {
        JsonElement result = Shear.Json(Train("train", "out", "--steps", "6"));
        Assert.Equal("completed", result.GetProperty("stop").GetString());
        Assert.Equal(6 * 4 * 32, result.GetProperty("tokens").GetInt64());
        Assert.True(File.Exists(Path.Combine(_scratch["out"], "tokenizer.json")), "the tokenizer goes along");
        double[] losses = [.. File.ReadLines(Path.Combine(_scratch["out.run"], "log.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("loss").GetDouble())];
        Assert.True(losses[^1] < losses[0] - 0.2, $"{losses[0]} -> {losses[^1]}");
        double before = Perplexity(Shear.Demo), after = Perplexity(_scratch["out"]);
        Assert.True(after < before, $"perplexity {before} -> {after}");
    }

    [Fact]
    public void Tune_ThenMerge_LowersPerplexity()
    {
        Shear.Json(Train("tune", "adapter", "--steps", "6", "--rank", "4", "--dropout", "0"));
        Assert.True(File.Exists(Path.Combine(_scratch["adapter"], "adapter_config.json")));
        Shear.Json("merge", Shear.Demo, "--adapter", _scratch["adapter"], "--out", _scratch["merged"]);
        double before = Perplexity(Shear.Demo), after = Perplexity(_scratch["merged"]);
        Assert.True(after < before, $"perplexity {before} -> {after}");
    }

    [Fact]
    public void Train_StoppedByCtrlC_ExitsZeroAndGoesOnToTheSameBits()
    {
        string[] whole = Train("train", "whole", "--steps", "5"), halves = Train("train", "halves", "--steps", "5");
        Shear.Json(whole);
        ShearResult first = Shear.CancelWhen(() => Directory.Exists(Path.Combine(_scratch["halves.run"], "checkpoints", "step-00000002")), [.. halves, "--json"]);
        Assert.Equal(0, first.Code);
        Assert.Equal("interrupted", first.Json.GetProperty("stop").GetString());
        Assert.False(Directory.Exists(_scratch["halves"]));
        JsonElement second = Shear.Json(halves);
        Assert.Equal(first.Json.GetProperty("step").GetInt64(), second.GetProperty("resumed_at").GetInt64());
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["whole"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["halves"], "model.safetensors")));
    }

    [Fact]
    public void Train_FromConfigFile_CommandLineWins()
    {
        string config = _scratch.Write("train.json", "{ \"steps\": 9, \"lr\": 0.002, \"no-recompute\": true, \"micro-batch\": 1 }");
        ShearResult result = Shear.Run([.. Train("train", "out", "--config", config, "--steps", "2"), "--json"]);
        Assert.Equal(0, result.Code);
        Assert.Equal(2, result.Json.GetProperty("step").GetInt64());
        Assert.Contains("activations kept", result.Error, StringComparison.Ordinal);
        Assert.Contains("rate 0.001", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"stepz\": 9 }", "'stepz' is no setting of 'shear train'. Did you mean 'steps'?")]
    [InlineData("{ \"steps\": true }", "expected a number or a text")]
    [InlineData("{ \"no-recompute\": 1 }", "expected true or false")]
    [InlineData("[ 1 ]", "expected a JSON object")]
    [InlineData("{", "is not valid JSON")]
    public void Train_BadConfigFile_NamesTheSetting(string json, string message) =>
        Assert.Contains(message, Shear.BadInput(Train("train", "out", "--config", _scratch.Write("bad.json", json))), StringComparison.Ordinal);

    [Fact]
    public void DryRun_WritesNothingAndSaysMemoryAndTime()
    {
        JsonElement result = Shear.Json(Train("tune", "out", "--steps", "10", "--dry-run"));
        Assert.Equal(10 * 4 * 32, result.GetProperty("tokens").GetInt64());
        Assert.True(result.GetProperty("trainable").GetInt64() < result.GetProperty("parameters").GetInt64() / 10);
        Assert.True(result.GetProperty("seconds").GetDouble() > 0);
        Assert.Equal(["corpus.txt"], _scratch.Names);
    }

    [Fact]
    public void Train_OnShards_EvaluatesByDomain()
    {
        _scratch.Write("a.txt", File.ReadAllText(Corpus()));
        _scratch.Write("b.txt", File.ReadAllText(Corpus()).Replace("fox", "system", StringComparison.Ordinal));
        string rows = _scratch["rows"];
        Shear.Json("tokenize", "a=" + _scratch["a.txt"], "b=" + _scratch["b.txt"], "--tokenizer", Shear.Demo, "--length", "32", "--out", rows);
        JsonElement result = Shear.Json(
            "train", Shear.Demo, "--data", rows, "--held-out", rows, "--held-out-rows", "3", "--proportions", "a=0.75,b=0.25", "--steps", "4", "--batch-size", "4", "--lr", "1e-3", "--compute", "float32", "--out", _scratch["out"], "--export-best");
        double before = result.GetProperty("evaluation_before").GetProperty("sets").GetProperty("b").GetDouble();
        Assert.True(result.GetProperty("evaluation").GetProperty("sets").GetProperty("b").GetDouble() < before);
        JsonElement evaluated = Shear.Json("eval", Shear.Demo, "--data", rows, "--rows", "3");
        Assert.Equal(before, evaluated.GetProperty("domains").GetProperty("b").GetProperty("nll").GetDouble(), 1e-5);
    }

    [Fact]
    public void Tune_OnInstructions_SkipsRecordsWithNothingToLearn()
    {
        string records = _scratch.Write("alpaca.json", """
            [ { "instruction": "Name a fox.", "input": "", "output": "Reynard." },
              { "instruction": "Add.", "input": "1 and 2", "output": "3" },
              { "instruction": "Say nothing.", "input": "", "output": "" } ]
            """);
        ShearResult result = Shear.Run("tune", Shear.Demo, "--instructions", records, "--epochs", "2", "--batch-size", "1", "--out", _scratch["adapter"], "--json");
        Assert.Equal((0, "completed"), (result.Code, result.Code == 0 ? result.Json.GetProperty("stop").GetString() : result.Error));
        Assert.Contains("padding: id", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Tune_WithATeacherThatSharesItsWeights_EqualsTwoCopies()
    {
        string plan = _scratch["plan.json"], smaller = _scratch["smaller"];
        Shear.Json("prune", Shear.Demo, "--scorer", "magnitude", "--remove", "3", "--protect-first", "1", "--protect-last", "1", "--plan-out", plan, "--out", smaller);
        string[] Tune(string output, params string[] more) =>
        [
            "tune", smaller, "--file", Corpus(), "--length", "32", "--batch-size", "2", "--steps", "3", "--lr", "1e-3", "--teacher", Shear.Demo, "--teacher-plan", plan, "--state-weight", "0.1",
            "--out", _scratch[output], .. more,
        ];
        Shear.Json(Tune("apart"));
        JsonElement shared = Shear.Json(Tune("shared", "--share-weights"));
        Assert.Equal(3, shared.GetProperty("step").GetInt64());
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["apart"], "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["shared"], "adapter_model.safetensors")));

        // A student that was trained since is no plain cut.
        Shear.Json("train", smaller, "--file", Corpus(), "--length", "32", "--batch-size", "2", "--steps", "1", "--lr", "1e-3", "--out", _scratch["trained"]);
        string[] wrong = Tune("wrong", "--share-weights");
        wrong[1] = _scratch["trained"];
        Assert.Contains("no plain cut", Shear.BadInput(wrong), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_NarrowerStudent_LearnsFromStatesBehindAMap()
    {
        string plan = _scratch["plan.json"], smaller = _scratch["smaller"];
        Shear.Json("prune", Shear.Demo, "--scorer", "magnitude", "--hidden", "96", "--plan-out", plan, "--out", smaller);
        string[] command = ["train", smaller, "--file", Corpus(), "--length", "32", "--batch-size", "2", "--steps", "3", "--lr", "1e-3", "--teacher", Shear.Demo, "--teacher-plan", plan, "--state-weight", "0.1", "--out", _scratch["out"]];
        Assert.Contains("give --state-map", Shear.BadInput(command), StringComparison.Ordinal);
        Assert.Equal(3, Shear.Json([.. command, "--state-map"]).GetProperty("step").GetInt64());
        Assert.Contains("\"hidden\":", File.ReadLines(Path.Combine(_scratch["out.run"], "log.jsonl")).First(l => l.Contains("\"step\",", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.DoesNotContain("objective", System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(Path.Combine(_scratch["out"], "model.safetensors"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Prune_WithRecovery_WritesOneFolderAndGoesOn()
    {
        string[] command =
        [
            "prune", Shear.Demo, "--scorer", "magnitude", "--remove", "3", "--protect-first", "1", "--protect-last", "1", "--file", Corpus(), "--recover", "lora",
            "--recover-steps", "3", "--recover-batch", "2", "--evaluate", Corpus(), "--out", _scratch["out"],
        ];
        JsonElement result = Shear.Json(command);
        Assert.Equal(9, result.GetProperty("blocks_after").GetInt32());
        Assert.True(result.GetProperty("perplexity_after").GetDouble() < result.GetProperty("perplexity_pruned").GetDouble());
        Assert.True(File.Exists(Path.Combine(_scratch["out"], "config.json")));

        // The finished stages are not repeated; another command may not use their folder.
        Shear.Json([.. command, "--force"]);
        Assert.Contains("belongs to another command", Shear.BadInput([.. command, "--force", "--recover-lr", "1"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--lr 0", "number above 0")]
    [InlineData("--batch-size 3 --micro-batch 2", "not a multiple")]
    [InlineData("--steps 5 --tokens 100", "only one of --steps")]
    [InlineData("--warmup 5 --steps 5", "leaves nothing")]
    [InlineData("--eval-every 2", "needs --held-out")]
    [InlineData("--export-best", "needs --held-out")]
    [InlineData("--length 100000", "less than one row")]
    [InlineData("--data nowhere", "only one of --data")]
    public void Train_BadSettings_AreNamed(string settings, string message)
    {
        string[] wanted = settings.Split(' ');
        string[] command = ["train", Shear.Demo, "--file", Corpus(), "--out", _scratch["out"], .. wanted.Contains("--length") ? [] : new[] { "--length", "32" }, .. wanted];
        Assert.Contains(message, Shear.BadInput(command), StringComparison.Ordinal);
        Assert.Equal(["corpus.txt"], _scratch.Names);
    }

    [Fact]
    public void Train_VocabularyOfTheDataLargerThanTheModels_IsRefused()
    {
        string rows = _scratch["rows"], small = _scratch["small"];
        Shear.Json("tokenize", "a=" + Corpus(), "--tokenizer", Shear.Demo, "--length", "32", "--out", rows);
        using (LlamaModel model = LlamaModel.Random(TinyLlama.Config(), seed: 1))
            TinyFolder.Write(model, small);
        string message = Shear.BadInput("train", small, "--data", rows, "--steps", "1", "--batch-size", "1", "--out", _scratch["out"]);
        Assert.Contains("vocabulary", message, StringComparison.Ordinal);
        Assert.Matches(@"row \d+, token \d+", message);
        Assert.Contains(TinyLlama.Config().Shape.VocabSize.ToString(System.Globalization.CultureInfo.InvariantCulture), message, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_AdapterOfAnotherBase_NamesTheTensor()
    {
        Shear.Json(Train("tune", "adapter", "--steps", "1", "--rank", "2"));
        Shear.Json("prune", Shear.Demo, "--scorer", "magnitude", "--remove", "3", "--out", _scratch["smaller"], "--protect-first", "0", "--protect-last", "0");
        Assert.Contains("layers.", Shear.BadInput("merge", _scratch["smaller"], "--adapter", _scratch["adapter"], "--out", _scratch["merged"]), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch["merged"]));
    }

    [Fact]
    public void Train_RunOfAnotherConfiguration_IsRefusedUnlessAllowed()
    {
        Shear.Json(Train("train", "out", "--steps", "2"));
        string[] changed = Train("train", "out", "--steps", "3", "--force");
        Assert.Contains("Steps", Shear.BadInput(changed), StringComparison.Ordinal);
        Assert.Equal(3, Shear.Json([.. changed, "--allow-change", "Steps"]).GetProperty("step").GetInt64());
    }

    private double Perplexity(string model) =>
        Shear.Json("eval", model, "--file", Corpus(), "--protocol", "llm-pruner").GetProperty("perplexity").GetDouble();
}
