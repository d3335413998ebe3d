using System.Text.Json;
using LlmShearing.Model;
using LlmShearing.Planning;
using LlmShearing.Scoring;

namespace LlmShearing.Cli.Tests;

public sealed class LearnTests : IDisposable
{
    private static readonly string[] Target = ["--hidden", "96", "--heads", "2", "--intermediate", "200", "--layers", "9"];
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Corpus() =>
        _scratch.Write("corpus.txt", string.Join(' ', Enumerable.Range(0, 400).Select(i => $"the {(i % 7 == 0 ? "quick" : "slow")} fox number {i} ran")));

    private string[] Learn(string output, params string[] more) =>
        ["learn", Shear.Demo, "--file", Corpus(), "--length", "32", "--batch-size", "4", "--micro-batch", "2", "--lr", "1e-3", "--out", _scratch[output], .. more];

    [Fact]
    public void Learn_ToATarget_WritesExactlyThatShape()
    {
        JsonElement result = Shear.Json(Learn("out", [.. Target, "--steps", "40", "--ramp", "5", "--mask-lr", "0.5", "--multiplier-lr", "0.5", "--accept-unconverged"]));
        LlamaShape shape = LlamaConfigJson.Load(Path.Combine(_scratch["out"], "config.json")).Shape;
        Assert.Equal((96, 9, 2, 1, 200), (shape.HiddenSize, shape.Layers.Length, shape.Layers[0].QueryHeads, shape.Layers[0].KeyValueHeads, shape.Layers[0].IntermediateSize));
        Assert.Equal(shape.ParameterCount, result.GetProperty("parameters").GetInt64());
        Assert.True(File.Exists(Path.Combine(_scratch["out"], "tokenizer.json")));
        // Plan and scores of the run agree with what was cut.
        PruningPlan plan = PruningPlan.Load(Path.Combine(_scratch["out.run"], "plan.json"));
        Assert.Equal(shape, plan.Target);
        PruningPlan again = new TargetedWidthStrategy().CreatePlan(shape, ImportanceScoresJson.Load(Path.Combine(_scratch["out.run"], "scores.json")));
        Assert.Equal(plan.Layers.Select(l => $"{l}"), again.Layers.Select(l => $"{l}"));
        Assert.True(Shear.Json("eval", _scratch["out"], "--file", Corpus()).GetProperty("perplexity").GetDouble() < 1e4);

        // From the same run: its own shape again, to the bit, and another one.
        Assert.True(Shear.Json(["fold", Shear.Demo, "--run", _scratch["out.run"], .. Target, "--out", _scratch["again"]]).GetProperty("trained_for_this_shape").GetBoolean());
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["out"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["again"], "model.safetensors")));
        string[] wider = ["fold", Shear.Demo, "--run", _scratch["out.run"], "--hidden", "112", "--intermediate", "256", "--layers", "10", "--out", _scratch["wider"]];
        Assert.False(Shear.Json(wider).GetProperty("trained_for_this_shape").GetBoolean());
        Assert.Equal(112, Hidden(_scratch["wider"]));
        Assert.Contains("is no run of mask learning", Shear.BadInput("fold", Shear.Demo, "--run", Run(), "--hidden", "64", "--out", _scratch["no"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--compute", "bfloat16")]
    [InlineData("--freeze-weights")]
    [InlineData("--reference")]
    public void Fold_OfAnyKindOfRun_GivesItsOwnModelAgain(params string[] more)
    {
        Shear.Json(Learn("out", [.. Target, "--steps", "3", "--ramp", "1", "--mask-lr", "2", "--accept-unconverged", .. more]));
        Shear.Json(["fold", Shear.Demo, "--run", _scratch["out.run"], .. Target, "--out", _scratch["again"]]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["out"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["again"], "model.safetensors")));
    }

    [Theory]
    [InlineData(false, "evaluation")]
    [InlineData(true, "step")]
    public void Learn_WithHeldOutRows_EvaluatesFirstUnlessAsTheOriginal(bool reference, string kind)
    {
        _ = Recipe("{ }");
        string[] command =
        [
            "learn", Shear.Demo, .. Target, "--data", _scratch["rows"], "--held-out", _scratch["rows"], "--held-out-rows", "3", "--batch-size", "4",
            "--steps", "2", "--ramp", "1", "--eval-every", "1", "--accept-unconverged", "--out", _scratch["out"],
        ];
        Shear.Json(reference ? [.. command, "--reference"] : command);
        string[] kinds = [.. File.ReadLines(Path.Combine(_scratch["out.run"], "log.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("kind").GetString()!)];
        Assert.Equal(kind, kinds[0]);
        Assert.Contains("evaluation", kinds);
    }

    [Fact]
    public void Fold_OfARunUnderABudget_IsRefused()
    {
        Shear.Json(Learn("out", "--total-sparsity", "0.4", "--masks", "intermediate", "--steps", "2", "--ramp", "1", "--accept-unconverged"));
        Assert.Contains("under a budget", Shear.BadInput("fold", Shear.Demo, "--run", _scratch["out.run"], "--intermediate", "200", "--out", _scratch["no"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Learn_TooFewSteps_WritesNoModelButSaysHowManyWouldDo()
    {
        string[] command = Learn("out", [.. Target, "--steps", "4"]);
        string error = Shear.BadInput(command);
        Assert.Contains("After 4 steps the masks have not reached their target (sparsity hidden 0.", error, StringComparison.Ordinal);
        Assert.Contains("Train for about", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch["out"]));
        // Nothing is lost: the same command with the flag ends at once.
        JsonElement result = Shear.Json([.. command, "--accept-unconverged"]);
        Assert.Equal((4, false), (result.GetProperty("resumed_at").GetInt32(), result.GetProperty("converged").GetBoolean()));
        Assert.True(Directory.Exists(_scratch["out"]));
    }

    [Fact]
    public void Learn_UnderABudget_LetsBlocksDiffer()
    {
        JsonElement result = Shear.Json(Learn("out", "--total-sparsity", "0.4", "--masks", "intermediate,key-value-groups", "--steps", "30", "--ramp", "4", "--accept-unconverged"));
        int[] sizes = [.. result.GetProperty("shape").GetProperty("intermediate_size").EnumerateArray().Select(s => s.GetInt32())];
        Assert.Equal(12, sizes.Length);
        Assert.All(sizes, s => Assert.InRange(s, 0, 352));
        Assert.True(result.GetProperty("parameters").GetInt64() < 2_500_000);
        Assert.True(Shear.Json("eval", _scratch["out"], "--file", Corpus()).GetProperty("perplexity").GetDouble() < 1e4);
    }

    [Fact]
    public void Learn_StoppedByCtrlC_GoesOnToTheSameBits()
    {
        string[] settings = [.. Target, "--steps", "6", "--ramp", "2", "--accept-unconverged"];
        Shear.Json(Learn("whole", settings));
        ShearResult first = Shear.CancelWhen(() => Directory.Exists(Path.Combine(_scratch["halves.run"], "checkpoints", "step-00000002")), [.. Learn("halves", settings), "--json"]);
        Assert.Equal((0, "interrupted"), (first.Code, first.Json.GetProperty("stop").GetString()));
        Shear.Json(Learn("halves", settings));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["whole"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["halves"], "model.safetensors")));
        Assert.Contains("target", Shear.BadInput(Learn("halves", ["--force", "--hidden", "64", "--steps", "6", "--ramp", "2"])), StringComparison.Ordinal);
    }

    [Fact]
    public void Learn_FinishedRunWithHarden_CutsAgainWithoutFolding()
    {
        string[] settings = [.. Target, "--steps", "2", "--ramp", "1", "--accept-unconverged", "--force"];
        byte[] Model(string folder) => File.ReadAllBytes(Path.Combine(_scratch[folder], "model.safetensors"));
        Shear.Json(Learn("cut", settings));
        byte[] folded = Model("cut");
        Assert.Equal(2, Shear.Json(Learn("cut", [.. settings, "--harden"])).GetProperty("resumed_at").GetInt64());
        Assert.NotEqual(folded, Model("cut"));
        Shear.Json(["fold", Shear.Demo, "--run", _scratch["cut.run"], .. Target, "--harden", "--out", _scratch["again"]]);
        Assert.Equal(Model("again"), Model("cut"));
    }

    [Fact]
    public void Learn_FromATeacher_ComparesEveryThirdBlock()
    {
        string[] settings = [.. Target, "--steps", "3", "--ramp", "1", "--accept-unconverged"];
        string[] teacher = ["--teacher", Shear.Demo, "--state-weight", "0.5"];
        Shear.Json(Learn("alone", settings));
        Shear.Json(Learn("closest", [.. settings, .. teacher]));
        Shear.Json(Learn("descending", [.. settings, .. teacher, "--matching", "descending"]));
        foreach ((string run, string rule) in new[] { ("closest", "Closest"), ("descending", "Descending") })
        {
            JsonElement objective = JsonDocument.Parse(File.ReadAllText(Path.Combine(_scratch[run + ".run"], "run.json"))).RootElement.GetProperty("configuration").GetProperty("objective");
            Assert.Equal([$"{rule}<-2", $"{rule}<-5", $"{rule}<-8", $"{rule}<-11"], objective.GetProperty("blocks").EnumerateArray().Select(b => b.GetString()!));
            JsonElement step = Steps(run).Last();
            Assert.True(step.GetProperty("parts").GetProperty("kd").GetDouble() > 0 && step.GetProperty("parts").GetProperty("hidden").GetDouble() > 0);
        }

        Shear.Json(Learn("mapped", [.. settings, .. teacher, "--state-map"]));
        Assert.NotEqual(Steps("closest").Last().GetProperty("loss").GetDouble(), Steps("mapped").Last().GetProperty("loss").GetDouble());
        Assert.Equal(Steps("closest").First().GetProperty("loss").GetDouble(), Steps("mapped").First().GetProperty("loss").GetDouble(), 1e-5);   // the map begins as the identity
        Assert.False(Steps("alone").Last().GetProperty("parts").TryGetProperty("kd", out _));
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(_scratch["alone"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["closest"], "model.safetensors")));
    }

    private IEnumerable<JsonElement> Steps(string run) => File.ReadLines(Path.Combine(_scratch[run + ".run"], "log.jsonl"))
        .Select(l => JsonDocument.Parse(l).RootElement).Where(l => l.GetProperty("kind").GetString() == "step");

    [Theory]
    [InlineData("hidden size: the target wants 200, the model has 128|hidden: 200 wanted, the source has 128", "--hidden", "200")]
    [InlineData("query heads", "--heads", "3")]
    [InlineData("Give sizes such as --hidden")]
    [InlineData("Give sizes or --total-sparsity, not both", "--hidden", "96", "--total-sparsity", "0.5")]
    [InlineData("No masks are known as 'width'", "--hidden", "96", "--masks", "width")]
    [InlineData("'qk-head-dim') are not supported", "--hidden", "96", "--masks", "qk-head-dim")]
    [InlineData("The target changes Hidden, which has no mask", "--hidden", "96", "--masks", "intermediate")]
    [InlineData("The target has the sizes of the model", "--hidden", "128")]
    [InlineData("--ramp 10 leaves none of the 5 steps", "--hidden", "96", "--ramp", "10")]
    [InlineData("the best evaluation is the first", "--hidden", "96", "--patience", "3")]
    [InlineData("--state-weight needs --teacher", "--hidden", "96", "--state-weight", "1")]
    [InlineData("--matching needs --teacher", "--hidden", "96", "--matching", "closest")]
    [InlineData("--state-map needs --state-weight", "--hidden", "96", "--teacher", "demo-llama-2.5m", "--state-map")]
    [InlineData("--matching needs --state-weight", "--hidden", "96", "--teacher", "demo-llama-2.5m", "--matching", "closest")]
    public void Learn_BadInput_IsRefusedBeforeAnythingIsWritten(string message, params string[] more)
    {
        string error = Shear.BadInput(Learn("out", [.. more, "--steps", "5"]));
        Assert.True(message.Split('|').Any(m => error.Contains(m, StringComparison.Ordinal)), error);
        Assert.Equal(["corpus.txt"], _scratch.Names.Where(n => n != "out.run"));
    }

    [Fact]
    public void Run_Recipe_LearnsContinuesAndMeasures()
    {
        string recipe = Recipe("""{ "steps": 5, "ramp": 2, "accept-unconverged": true }""");
        JsonElement result = Shear.Json("run", recipe, "--out", _scratch["small"]);
        JsonElement stages = result.GetProperty("stages");
        Assert.Equal(["learn", "continue", "source", "result"], stages.EnumerateObject().Select(s => s.Name));
        Assert.Equal((96, 9), (Hidden(_scratch["small"]), LlamaConfigJson.Load(Path.Combine(_scratch["small"], "config.json")).Shape.Layers.Length));
        Assert.Equal(2, stages.GetProperty("result").GetProperty("domains").EnumerateObject().Count());
        JsonElement manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(_scratch["small.run"], "manifest.json"))).RootElement;
        Assert.Contains(manifest.GetProperty("inputs").EnumerateArray(), i => i.GetProperty("file").GetString()!.EndsWith("model.safetensors", StringComparison.Ordinal) && i.GetProperty("sha256").GetString()!.Length == 64);
        Assert.Contains(manifest.GetProperty("evaluations").EnumerateArray(), e => e.GetProperty("stage").GetString() == "continue" && e.TryGetProperty("proportions", out _));
        Assert.Equal(96, IndexSet.Parse(manifest.GetProperty("plan").GetProperty("hidden").GetString()!).Count);

        // Again: every stage is there already.
        DateTime learned = File.GetLastWriteTimeUtc(Path.Combine(_scratch["small.run"], "learned", "model.safetensors"));
        Shear.Json("run", recipe, "--out", _scratch["small"], "--force");
        Assert.Equal(learned, File.GetLastWriteTimeUtc(Path.Combine(_scratch["small.run"], "learned", "model.safetensors")));
        // A damaged manifest is written anew, a damaged stage is refused by name.
        string inputs = manifest.GetProperty("inputs").GetRawText();
        foreach (string damaged in new[] { "", "{", "[]", "{\"inputs\":3}", "{\"inputs\":[1]}", "{\"inputs\":[],\"inputs\":[]}", "{\"a\":\"\\ud800\"}" })
        {
            File.WriteAllText(Path.Combine(_scratch["small.run"], "manifest.json"), damaged);
            Assert.Equal(0, Shear.Run("run", recipe, "--out", _scratch["small"], "--force").Code);
            using JsonDocument again = JsonDocument.Parse(File.ReadAllText(Path.Combine(_scratch["small.run"], "manifest.json")));
            Assert.Equal(inputs, again.RootElement.GetProperty("inputs").GetRawText());
        }

        string stage = Path.Combine(_scratch["small.run"], "source.json"), good = File.ReadAllText(stage);
        File.WriteAllText(stage, good.Replace("\"perplexity\":", "\"perplexity\":1", StringComparison.Ordinal));
        Assert.Contains("source.json is damaged", Shear.BadInput("run", recipe, "--out", _scratch["small"], "--force"), StringComparison.Ordinal);
        File.WriteAllText(stage, good);
        File.WriteAllText(recipe, File.ReadAllText(recipe).Replace("\"hidden\": 96", "\"hidden\": 64", StringComparison.Ordinal));
        Assert.Contains("belongs to another command", Shear.BadInput("run", recipe, "--out", _scratch["small"], "--force"), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_CtrlCInEachStage_EndsAsTheUninterruptedRun()
    {
        string recipe = Recipe("""{ "steps": 5, "ramp": 2, "accept-unconverged": true }""");
        Shear.Json("run", recipe, "--out", _scratch["whole"]);
        foreach (string stage in new[] { "learn.run", "continue.run" })
        {
            ShearResult stopped = Shear.CancelWhen(() => Directory.Exists(Path.Combine(_scratch["parts.run"], stage, "checkpoints", "step-00000001")), "run", recipe, "--out", _scratch["parts"], "--json");
            Assert.Equal(0, stopped.Code);
            Assert.Equal(JsonValueKind.Null, stopped.Json.GetProperty("out").ValueKind);
        }

        Shear.Json("run", recipe, "--out", _scratch["parts"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["whole"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["parts"], "model.safetensors")));
    }

    [Theory]
    [InlineData("sheared-llama-1.3b", 2048, 3200, 48000)]
    [InlineData("sheared-llama-2.7b", 2560, 3200, 48000)]
    public void Run_Presets_AreThePapers(string preset, int hidden, int learn, int after)
    {
        string recipe = _scratch.Write("recipe.json", $$"""{ "preset": "{{preset}}", "model": "M", "data": "D", "learn": { "seed": 7 } }""");
        JsonElement plan = Shear.Json("run", recipe, "--dry-run");
        Assert.Equal((hidden, learn, 7, "reference-loss"), (plan.GetProperty("learn").GetProperty("hidden").GetInt32(), plan.GetProperty("learn").GetProperty("steps").GetInt32(), plan.GetProperty("learn").GetProperty("seed").GetInt32(), plan.GetProperty("learn").GetProperty("sampler").GetString()));
        Assert.Equal((after, 256, 8), (plan.GetProperty("continue").GetProperty("steps").GetInt32(), plan.GetProperty("continue").GetProperty("batch-size").GetInt32(), plan.GetProperty("continue").GetProperty("seed").GetInt32()));
    }

    [Fact]
    public void Run_SmallPreset_IsAcceptedByItsVerbs()
    {
        string recipe = _scratch.Write("recipe.json", $$"""
            { "preset": "small", "model": {{JsonSerializer.Serialize(Shear.Demo)}}, "target": { "hidden": 96 },
              "learn": { "file": [ {{JsonSerializer.Serialize(Corpus())}} ], "length": 32, "steps": 2, "ramp": 1, "batch-size": 2, "micro-batch": 1, "accept-unconverged": true },
              "continue": { "file": [ {{JsonSerializer.Serialize(Corpus())}} ], "length": 32, "steps": 1, "batch-size": 2, "micro-batch": 1 } }
            """);
        JsonElement plan = Shear.Json("run", recipe, "--dry-run"), learn = plan.GetProperty("learn");
        Assert.Equal(1235, plan.GetProperty("continue").GetProperty("seed").GetInt32());
        Assert.Equal((1000, 2), (learn.GetProperty("initial-lambda2").GetInt32(), learn.GetProperty("steps").GetInt32()));
        Shear.Json("run", recipe, "--out", _scratch["small"]);
        Assert.Equal(96, Hidden(_scratch["small"]));
    }

    [Theory]
    [InlineData("""{ "modle": "M" }""", "'modle' is no member of a recipe")]
    [InlineData("""{ "data": "D" }""", "names no model")]
    [InlineData("""{ "model": "M", "preset": "tiny" }""", "There is no preset 'tiny'. Presets: ")]
    [InlineData("""{ "model": "M", "target": 5 }""", "'target' is 5; expected an object")]
    [InlineData("""[1]""", "expected a JSON object")]
    [InlineData("""{ "model": """, "is not valid JSON")]
    public void Run_BadRecipe_NamesTheMember(string json, string message) =>
        Assert.Contains(message, Shear.BadInput("run", _scratch.Write("recipe.json", json), "--out", _scratch["out"]), StringComparison.Ordinal);

    private string Recipe(string learn)
    {
        _scratch.Write("a.txt", File.ReadAllText(Corpus()));
        _scratch.Write("b.txt", File.ReadAllText(Corpus()).Replace("fox", "system", StringComparison.Ordinal));
        Shear.Json("tokenize", "a=" + _scratch["a.txt"], "b=" + _scratch["b.txt"], "--tokenizer", Shear.Demo, "--length", "32", "--out", _scratch["rows"]);
        return _scratch.Write("recipe.json", $$"""
            {
              "model": {{JsonSerializer.Serialize(Shear.Demo)}},
              "data": {{JsonSerializer.Serialize(_scratch["rows"])}},
              "held-out": {{JsonSerializer.Serialize(_scratch["rows"])}},
              "target": { "hidden": 96, "heads": 2, "intermediate": 200, "layers": 9 },
              "proportions": { "a": 0.75, "b": 0.25 },
              "learn": {{learn.Replace("{ ", "{ \"batch-size\": 4, \"held-out-rows\": 3, \"checkpoint-every\": 1, ", StringComparison.Ordinal)}},
              "continue": { "steps": 4, "batch-size": 4, "held-out-rows": 3, "checkpoint-every": 1, "proportions": "a=0.5,b=0.5" }
            }
            """);
    }

    // A run of another kind.
    private string Run()
    {
        Shear.Json("train", Shear.Demo, "--file", Corpus(), "--length", "32", "--batch-size", "2", "--steps", "1", "--out", _scratch["trained"]);
        return _scratch["trained.run"];
    }

    private static int Hidden(string folder) => LlamaConfigJson.Load(Path.Combine(folder, "config.json")).Shape.HiddenSize;
}
