// shear demo (hidden; ./build.sh demo calls it): prunes one model with every depth criterion and
// recovers it with LoRA, by the same commands that a user would type. --learned: learned masks instead.
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;
using LlmShearing.Files;
using LlmShearing.Json;
using LlmShearing.Scoring;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal sealed class DemoCommand : ShearCommand
{
    // Enough for a steady perplexity, little enough for a minute in all.
    private const int EvaluationCharacters = 40_000;

    private static readonly string[] Criteria =
        [ScorerNames.Magnitude, ScorerNames.Taylor, ScorerNames.BlockPerplexity, ScorerNames.BlockInfluence, ScorerNames.Angular];

    private const string Recovered = ScorerNames.BlockPerplexity;

    private readonly Argument<string> _model = ModelOptions.Argument();
    private readonly Option<string?> _out = Opt.Text("--out", "FOLDER", "Where the texts and the pruned models go.");
    private readonly Option<string?> _textFolder = Opt.Text("--text-folder", "FOLDER", "Markdown files to use where the .NET SDK has no reference documentation.");
    private readonly Option<double?> _ratio = Opt.Number("--ratio", "R", "Share of the blocks to remove.", v => v is > 0 and < 1, "a number between 0 and 1", 0.25);

    private readonly Option<int?> _steps = Opt.Int("--steps", "N", "Optimizer steps of recovery; with --learned, half as many again learn the masks.", 1, 100, maximum: 1_000_000);
    private readonly Option<bool> _learned = Opt.Flag("--learned", "Learn masks to a smaller shape and continue training, beside magnitude pruning to the same shape with as many tokens.");

    private readonly ComputeOptions _compute = new("float32");

    public DemoCommand(Surroundings surroundings)
        : base(surroundings, "demo", "Prunes a model with every depth criterion, compares them, and recovers one.", "shear demo MODEL --out artifacts/demo")
    {
        Hidden = true;
        Arguments.Add(_model);
        AddOptions(_out, _textFolder, _ratio, _steps, _learned, _compute.Device);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string folder = run.Get(_out) ?? throw new UsageException("Give --out FOLDER.");
        if (run.Get(_learned) && run.IsGiven(_ratio))
            throw new UsageException("--ratio is for depth criteria; --learned has a shape of its own.");
        LlamaShape shape = ModelFolder.Config(run.Get(_model)).Shape;
        string[] place = ["--device", ComputeDevice.NameOf(_compute.Read(run).Device)];
        ReferenceText text = ReferenceText.Find(run.Get(_textFolder));
        FileSteps.CreateFolder(folder);
        string calibration = Path.Combine(folder, "calibration.txt"), evaluation = Path.Combine(folder, "evaluation.txt"), training = Path.Combine(folder, "training.txt");
        OutputFile.Write(calibration, w => w.Write(text.Calibration));
        OutputFile.Write(evaluation, w => w.Write(text.Evaluation[..Math.Min(EvaluationCharacters, text.Evaluation.Length)]));
        OutputFile.Write(training, w => w.Write(text.Training));
        if (run.Get(_learned))
        {
            LearnedDemo result = LearnedDemo.Execute(run, run.Get(_model), folder, training, evaluation, run.Get(_steps)!.Value, place);
            run.Result(() => result.Json(text.Source), console => result.Print(console, text.Source));
            return;
        }

        // The paper protects the first 4 and the last 2 of 32 blocks; here the same shares, at least one each.
        int first = Math.Max(1, shape.Layers.Length * 4 / 32), last = Math.Max(1, shape.Layers.Length * 2 / 32);
        string[] Command(string criterion) =>
        [
            "prune", run.Get(_model), "--scorer", criterion, "--ratio", run.Get(_ratio)!.Value.ToString(CultureInfo.InvariantCulture),
            "--protect-first", first.ToString(CultureInfo.InvariantCulture), "--protect-last", last.ToString(CultureInfo.InvariantCulture),
            "--file", calibration, "--evaluate", evaluation, "--protocol", "llm-pruner", "--out", Path.Combine(folder, criterion), "--force",
            .. criterion == ScorerNames.Angular ? ["--contiguous"] : Array.Empty<string>(),   // the criterion's own way: one window of neighbours
        ];
        var rows = new List<(string Criterion, JsonElement Result)>();
        foreach (string criterion in Criteria)
        {
            run.Progress.Report(new ShearingProgress("comparing", rows.Count, Criteria.Length, "criteria"));
            rows.Add((criterion, NestedShear.Run(run, [.. Command(criterion), .. place])));
        }

        (JsonElement recovery, double recovered) = Recover(run, folder, training, evaluation, place);
        run.Result(() => Json(rows, text, recovery, recovered), console =>
        {
            Print(console, rows, text, Command("CRITERION"));
            Print(console, rows, recovery, recovered, folder);
        });
    }

    // LoRA on the choice of block perplexity, merged, measured as written. About a minute on two cores.
    private (JsonElement Training, double Perplexity) Recover(Invocation run, string folder, string training, string evaluation, string[] place)
    {
        string pruned = Path.Combine(folder, Recovered), adapter = Path.Combine(folder, "adapter"), merged = Path.Combine(folder, "recovered"), work = Path.Combine(folder, "recovery.run");
        if (Directory.Exists(work))
            FileSteps.DeleteFolder(work);   // the demo starts anew; a user's run would go on
        JsonElement tune = NestedShear.Run(
            run, ["tune", pruned, .. place, "--compute", "float32", "--file", training, "--length", "128", "--steps", run.Get(_steps)!.Value.ToString(CultureInfo.InvariantCulture), "--batch-size", "16", "--micro-batch", "16",
            "--lr", "5e-3", "--dropout", "0", "--run", work, "--out", adapter, "--force"]);
        if (tune.GetProperty("out").ValueKind != JsonValueKind.String)
            throw new OperationCanceledException();
        NestedShear.Run(run, "merge", pruned, "--adapter", adapter, "--out", merged, "--force");
        return (tune, NestedShear.Run(run, ["eval", merged, .. place, "--file", evaluation, "--protocol", "llm-pruner"]).GetProperty("perplexity").GetDouble());
    }

    private static void Print(IAnsiConsole console, List<(string Criterion, JsonElement Result)> rows, JsonElement recovery, double recovered, string folder)
    {
        JsonElement pruned = rows.First(r => r.Criterion == Recovered).Result;
        console.Line($"{Recovered}, recovered by LoRA in {recovery.GetProperty("step").GetInt64()} steps and {Numbers.Significant(recovery.GetProperty("seconds").GetDouble(), 3)} s: perplexity {Number(pruned, "perplexity_after")} -> {Numbers.Significant(recovered)}");
        console.Line("The dense model never saw this kind of text: part of the gain is getting used to it.");
        console.Line($"Hugging Face folders, one a criterion, 'adapter' and 'recovered': {folder}");
    }

    private static JsonObject Json(List<(string Criterion, JsonElement Result)> rows, ReferenceText text, JsonElement recovery, double recovered) => new()
    {
        ["text"] = text.Source,
        ["recovery"] = SafeJson.Node(recovery.GetRawText()),
        ["perplexity_recovered"] = Numbers.Json(recovered),
        ["criteria"] = new JsonObject(rows.Select(r => KeyValuePair.Create(r.Criterion, (JsonNode?)SafeJson.Node(r.Result.GetRawText())))),
    };

    private static void Print(IAnsiConsole console, List<(string Criterion, JsonElement Result)> rows, ReferenceText text, string[] command)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns(
            new TableColumn("criterion"), new TableColumn("blocks removed"), new TableColumn("parameters").RightAligned(),
            new TableColumn("perplexity before").RightAligned(), new TableColumn("after").RightAligned(), new TableColumn("seconds").RightAligned());
        foreach ((string criterion, JsonElement r) in rows)
            table.AddRow(
                criterion,
                string.Join(' ', r.GetProperty("removed").EnumerateArray().Select(b => b.GetInt32())),
                $"{Numbers.Count(r.GetProperty("parameters_before").GetInt64())} -> {Numbers.Count(r.GetProperty("parameters_after").GetInt64())}",
                Number(r, "perplexity_before"),
                Number(r, "perplexity_after"),
                Numbers.Significant(r.GetProperty("seconds").GetDouble(), 3));
        console.Write(table);
        console.Line($"text: {text.Source}; blocks in the order of removal");
        console.Line($"each row: shear {string.Join(' ', command)} (angular: --contiguous, too)");
    }

    private static string Number(JsonElement result, string name) =>
        result.GetProperty(name) is { ValueKind: JsonValueKind.Number } number ? Numbers.Significant(number.GetDouble()) : result.GetProperty(name).ToString();
}
