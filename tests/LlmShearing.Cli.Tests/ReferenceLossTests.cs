using System.Text.Json;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Tests;

public sealed class ReferenceLossTests : IDisposable
{
    private readonly Scratch _scratch = new();
    private string _steps = "6";
    private string? _rows;

    public void Dispose() => _scratch.Dispose();

    // Two domains of rows of 32 tokens: one repeats itself, the other counts.
    private string Rows()
    {
        if (_rows is not null)
            return _rows;
        _scratch.Write("a.txt", string.Join(' ', Enumerable.Range(0, 500).Select(i => $"the {(i % 7 == 0 ? "quick" : "slow")} fox ran")));
        _scratch.Write("b.txt", string.Join(' ', Enumerable.Range(0, 400).Select(i => $"number {i * 7919 % 10007} and {i * i}")));
        Shear.Json("tokenize", "a=" + _scratch["a.txt"], "b=" + _scratch["b.txt"], "--tokenizer", Shear.Demo, "--length", "32", "--out", _scratch["rows"]);
        return _rows = _scratch["rows"];
    }

    private string[] Train(string output, params string[] more) =>
    [
        "train", Shear.Demo, "--data", Rows(), "--batch-size", "4", "--micro-batch", "2", "--lr", "1e-3", "--steps", _steps, "--seed", "5", "--out", _scratch[output], .. more,
    ];

    private string[] Adaptive(string output, params string[] more) => Train(
        output, ["--held-out", Rows(), "--held-out-rows", "3", "--sampler", "reference-loss", "--reference-losses", Reference("""{ "a": 4, "b": 3 }"""), "--eval-every", "2", .. more]);

    private sealed class Reports : IProgress<ShearingProgress>
    {
        public List<ShearingProgress> Seen { get; } = [];

        public void Report(ShearingProgress value) => Seen.Add(value);
    }

    private string Reference(string json) => _scratch.Write("reference.json", json);

    [Fact]
    public void Measure_Model_WritesTheLossesThatEvalFinds()
    {
        string file = _scratch["reference.json"];
        JsonElement result = Shear.Json("reference-loss", Shear.Demo, "--data", Rows(), "--rows", "3", "--out", file);
        JsonElement evaluated = Shear.Json("eval", Shear.Demo, "--data", Rows(), "--rows", "3");
        JsonElement written = JsonDocument.Parse(File.ReadAllText(file)).RootElement;
        foreach (string domain in new[] { "a", "b" })
        {
            Assert.Equal(evaluated.GetProperty("domains").GetProperty(domain).GetProperty("nll").GetDouble(), written.GetProperty(domain).GetDouble());
            Assert.Equal(written.GetProperty(domain).GetDouble(), result.GetProperty("losses").GetProperty(domain).GetDouble());
        }

        Assert.Equal(Shear.Json("inspect", Shear.Demo).GetProperty("parameters").GetInt64(), result.GetProperty("parameters").GetInt64());

        // References of the model itself: at the first evaluation nothing lags, so the shares stay as they are but for the smoothing.
        Shear.Json(Train("out", "--compute", "float32", "--held-out", Rows(), "--held-out-rows", "3", "--sampler", "reference-loss", "--reference-losses", file, "--proportions", "a=0.25,b=0.75"));
        JsonElement first = JsonDocument.Parse(File.ReadLines(Path.Combine(_scratch["out.run"], "log.jsonl")).First()).RootElement;
        Assert.Equal((0.25 * 0.9999) + (1e-4 / 2), first.GetProperty("proportions").GetProperty("a").GetDouble(), 1e-6);
    }

    [Fact]
    public async Task Eval_Domains_ProgressCountsTheTokensOfAllOfThem()
    {
        var reports = new Reports();
        var surroundings = new Surroundings { Out = TextWriter.Null, Error = TextWriter.Null, OuterProgress = reports };

        int code = await ShearCommandLine.RunAsync(["eval", Shear.Demo, "--data", Rows(), "--rows", "3"], surroundings, CancellationToken.None);

        ShearingProgress[] evaluation = [.. reports.Seen.Where(r => r.Stage == "perplexity")];
        Assert.Equal(0, code);
        Assert.Equal(["a", "b"], evaluation.Select(r => r.Detail).Distinct());
        Assert.Equal(evaluation.Select(r => r.Completed).Order(), evaluation.Select(r => r.Completed));
        Assert.All(evaluation, r => Assert.Equal(2 * 3 * 32, r.Total));
        Assert.Equal((2 * 3 * 32, "tokens"), (evaluation[^1].Completed, evaluation[^1].Unit));
    }

    // LLaMA-2's losses by domain and the targets published for 2.7B.
    [Fact]
    public void Predict_LlamaTwo_WritesThePublishedTargets()
    {
        string[] files =
        [
            "6738415616=" + _scratch.Write("7b.json", """{"cc":1.7520,"github":0.6216,"book":1.9063,"stackexchange":1.4482,"wiki":1.4844,"arxiv":1.2637,"c4-rp":1.9219}"""),
            "13_015_864_320=" + _scratch.Write("13b.json", """{"cc":1.6680,"github":0.5791,"book":1.8242,"stackexchange":1.3936,"wiki":1.3945,"arxiv":1.2109,"c4-rp":1.8486}"""),
            "68.976648192e9=" + _scratch.Write("70b.json", """{"cc":1.4621,"github":0.4890,"book":1.6450,"stackexchange":1.2805,"wiki":1.2118,"arxiv":1.1148,"c4-rp":1.6848}"""),
        ];
        string[] command = ["reference-loss", .. files.SelectMany(f => new[] { "--measured", f }), "--size", "2701560320", "--out", _scratch["reference.json"]];
        ShearResult result = Shear.Run([.. command, "--json"]);
        Assert.Equal(0, result.Code);
        Assert.Contains("cc: the law falls below 0", result.Error, StringComparison.Ordinal);
        JsonElement written = JsonDocument.Parse(File.ReadAllText(_scratch["reference.json"])).RootElement;
        (string, double)[] expected = [("arxiv", 1.3560), ("book", 2.0325), ("c4-rp", 2.0328), ("cc", 1.8712), ("github", 0.6883), ("stackexchange", 1.5353), ("wiki", 1.6297)];
        Assert.Equal(expected, written.EnumerateObject().Select(d => (d.Name, Math.Round(d.Value.GetDouble(), 4))));
        Assert.Equal(0.0283, result.Json.GetProperty("fits").GetProperty("cc").GetProperty("b").GetDouble(), 4);
        Assert.NotEqual(0, result.Json.GetProperty("fits").GetProperty("cc").GetProperty("warnings").GetArrayLength());

        command[2] = "6738415616=" + _scratch.Write("less.json", """{"cc":1.7}""");
        Assert.Contains("no loss for domain 'arxiv' at 6738415616 parameters; there is: cc", Shear.BadInput(command), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_SharesFollowLosses_AndAreFoundAfterwards()
    {
        JsonElement result = Shear.Json(Adaptive("out", "--proportions", "a=0.5,b=0.5"));
        double b = result.GetProperty("proportions").GetProperty("b").GetDouble();
        Assert.True(b > 0.6, $"the domain that lags has {b}");
        Assert.Equal(6 * 4, result.GetProperty("drawn").GetProperty("a").GetInt64() + result.GetProperty("drawn").GetProperty("b").GetInt64());
        JsonElement[] evaluations = [.. Log("out").Where(l => l.GetProperty("kind").GetString() == "evaluation")];
        Assert.Equal(4, evaluations.Length);
        Assert.Equal(b, evaluations[^1].GetProperty("proportions").GetProperty("b").GetDouble());
        Assert.Equal(result.GetProperty("drawn").GetRawText(), evaluations[^1].GetProperty("drawn").GetRawText());

        // Each update follows from the losses of its evaluation.
        double share = 0.5;
        foreach (JsonElement evaluation in evaluations)
        {
            double Lag(string domain, double reference) => evaluation.GetProperty("sets").GetProperty(domain).GetDouble() - reference;
            double weight = share * Math.Exp(Lag("b", 3)), other = (1 - share) * Math.Exp(Lag("a", 4));
            share = (0.9999 * weight / (weight + other)) + 0.00005;
            Assert.Equal(share, evaluation.GetProperty("proportions").GetProperty("b").GetDouble(), 1e-12);
        }

        // Continued pretraining starts with the mixture that was found.
        string[] continued = Train("next", "--proportions-from", _scratch["out.run"]);
        Assert.Equal(b, Shear.Json(continued).GetProperty("proportions").GetProperty("b").GetDouble(), 1e-15);
        ShearResult again = Shear.Run([.. continued, "--force"]);
        Assert.Equal(0, again.Code);
        Assert.Contains($", b {b:0.####}; drawn a ", again.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_AdaptiveStoppedByCtrlC_GoesOnToTheSameBitsAndShares()
    {
        JsonElement whole = Shear.Json(Adaptive("whole"));
        ShearResult first = Shear.CancelWhen(() => Directory.Exists(Path.Combine(_scratch["halves.run"], "checkpoints", "step-00000003")), [.. Adaptive("halves"), "--json"]);
        Assert.Equal("interrupted", first.Json.GetProperty("stop").GetString());
        JsonElement second = Shear.Json(Adaptive("halves"));
        Assert.True(second.GetProperty("resumed_at").GetInt64() >= 3);
        Assert.Equal(whole.GetProperty("proportions").GetRawText(), second.GetProperty("proportions").GetRawText());
        Assert.Equal(whole.GetProperty("drawn").GetRawText(), second.GetProperty("drawn").GetRawText());
        Assert.Equal(File.ReadAllBytes(Path.Combine(_scratch["whole"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_scratch["halves"], "model.safetensors")));

        // Another reference is another run.
        string[] other = Adaptive("halves", "--force");
        Reference("""{ "a": 4, "b": 3.5 }""");
        Assert.Contains("settings.reference_losses.b was 3 and is now 3.5", Shear.BadInput(other), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_OptionsFromConfigFile_SetTheRule()
    {
        _steps = "2";
        string config = _scratch.Write("train.json", """{ "clip-differences": true, "max-change": 0.01, "minimum-shares": "a=0.3", "update": "bandit", "eta": 2, "smoothing": 0.001 }""");
        Shear.Json(Adaptive("out", "--proportions", "a=0.5,b=0.5", "--config", config));
        Assert.Equal(0.49, Log("out").First().GetProperty("proportions").GetProperty("b").GetDouble(), 1e-12);
        JsonElement settings = JsonDocument.Parse(File.ReadAllText(Path.Combine(_scratch["out.run"], "run.json"))).RootElement.GetProperty("configuration").GetProperty("data").GetProperty("settings");
        Assert.Equal("""{"update":"bandit","eta":2,"smoothing":0.001,"clip_differences":true,"max_change":0.01,"reference_losses":{"a":4,"b":3},"minimum_shares":{"a":0.3,"b":0}}""", JsonSerializer.Serialize(settings));
    }

    [Fact]
    public void Train_FixedMixture_MayBeEvaluatedOnOtherSets()
    {
        _steps = "1";
        _scratch.Write("c.txt", File.ReadAllText(Path.Combine(Path.GetDirectoryName(Rows())!, "a.txt")));
        Shear.Json("tokenize", "other=" + _scratch["c.txt"], "--tokenizer", Shear.Demo, "--length", "32", "--out", _scratch["other"]);
        JsonElement result = Shear.Json(Train("out", "--held-out", _scratch["other"], "--held-out-rows", "2"));
        Assert.True(result.GetProperty("evaluation").GetProperty("sets").TryGetProperty("other", out _));
    }

    [Theory]
    [InlineData("{ \"a\": 4 }", "There is no reference loss for domain 'b'; given: a. Give one for each of a, b.")]
    [InlineData("{ \"a\": 4, \"b\": 3, \"c\": 1 }", "reference loss for 'c', which is no domain of the mixture (a, b)")]
    [InlineData("{ \"a\": 4, \"b\": \"3\" }", "'b': expected a number, found \"3\"")]
    [InlineData("{ \"a\": 4, \"b\": 1e999 }", "'b': expected a number, found 1e999")]
    [InlineData("{ \"a\": 4, \"b\": -3 }", "The loss of domain 'b' is -3")]
    [InlineData("{ \"a\": 4, \"a\": 3 }", "is not valid JSON")]
    [InlineData("{ \" \": 4 }", "A domain has no name")]
    [InlineData("{}", "There is no domain")]
    [InlineData("[1]", "expected an object")]
    public void Train_BadReferenceFile_NamesTheFault(string json, string message)
    {
        string[] command = Adaptive("out");
        Reference(json);
        Assert.Contains(message, Shear.BadInput(command), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scratch["out.run"]));
    }

    [Theory]
    [InlineData("--sampler reference-loss", "needs --reference-losses")]
    [InlineData("--sampler reference-loss --reference-losses FILE", "need --held-out with exactly the domains of --data (a, b); none was given")]
    [InlineData("--eta 1", "--eta needs --sampler reference-loss")]
    [InlineData("--sampler random --clip-differences", "--clip-differences needs --sampler reference-loss")]
    [InlineData("--sampler reference-loss --reference-losses FILE --minimum-shares a=0.7,b=0.7", "The minimum shares add up to 1.4")]
    [InlineData("--sampler reference-loss --reference-losses FILE --minimum-shares c=0.1", "minimum share for 'c'")]
    [InlineData("--sampler weighted", "give one of fixed, random, reference-loss")]
    [InlineData("--proportions a=0.5,b=0.5 --proportions-from x", "Give only one of --proportions and --proportions-from.")]
    [InlineData("--proportions-from x", "has no training checkpoint that can be read")]
    public void Train_ContradictoryMixture_IsRefused(string options, string message)
    {
        string reference = Reference("""{ "a": 4, "b": 3 }""");
        Assert.Contains(message, Shear.BadInput(Train("out", options.Replace("FILE", reference, StringComparison.Ordinal).Split(' '))), StringComparison.Ordinal);
    }

    [Fact]
    public void Train_MixtureOfText_IsRefused() => Assert.Contains(
        "--sampler needs --data", Shear.BadInput("train", Shear.Demo, "--file", _scratch.Write("t.txt", "text"), "--sampler", "random", "--out", _scratch["out"]), StringComparison.Ordinal);

    [Theory]
    [InlineData("MODEL --data x", "Give --out FILE")]
    [InlineData("--out x", "Give either MODEL with --data")]
    [InlineData("MODEL --measured 1=x --out x", "Give either MODEL with --data")]
    [InlineData("MODEL --out x", "Give --data with token rows")]
    [InlineData("MODEL --data x --size 7 --out x", "--size goes with --measured only")]
    [InlineData("--measured 1=x --rows 3 --size 2 --out x", "--rows goes with MODEL only")]
    [InlineData("--measured 1=x --out x", "Give --size N")]
    [InlineData("--measured x --size 2 --out x", "'x' is not SIZE=FILE")]
    [InlineData("--measured 1=nothing.json --size 2 --out x", "nothing.json cannot be opened")]
    [InlineData("--measured 1=FILE --measured 2=FILE --size 2 --out x", "Domain 'a': A scaling law needs losses of at least 3 model sizes, there are 2")]
    public void ReferenceLoss_BadCommand_SaysWhatIsMissing(string options, string message)
    {
        string text = options.Replace("MODEL", Shear.Demo, StringComparison.Ordinal).Replace("FILE", Reference("""{ "a": 4, "b": 3 }"""), StringComparison.Ordinal);
        Assert.Contains(message, Shear.BadInput(["reference-loss", .. text.Split(' ')]), StringComparison.Ordinal);
    }

    private IEnumerable<JsonElement> Log(string name) =>
        File.ReadLines(Path.Combine(_scratch[name + ".run"], "log.jsonl")).Select(l => JsonDocument.Parse(l).RootElement);
}
