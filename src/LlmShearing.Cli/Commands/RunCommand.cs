// shear run: mask learning, the cut, continued pretraining and measurement, from one file. The verbs one after the other, each skipped when its result is there.
using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;
using LlmShearing.Json;
using LlmShearing.Training.Runs;
using Spectre.Console;
using static TorchSharp.torch;

namespace LlmShearing.Cli.Commands;

internal sealed class RunCommand : ShearCommand
{
    private readonly Argument<string> _recipe = new("RECIPE") { Description = "JSON file: model, target, data, held-out, reference-losses, preset, and settings of the stages under learn and continue." };
    private readonly Option<string?> _out = Opt.Text("--out", "FOLDER", "Where the model goes; what lies between goes to the same name with .run added.");
    private readonly Option<bool> _force = Opt.Flag("--force", "Replace --out when it exists.");
    private readonly Option<bool> _dry = Opt.Flag("--dry-run", "Say what each stage would be told, and stop.");

    private readonly ComputeOptions _compute = new(ComputeType.Auto, " For the stages whose settings do not say.");

    public RunCommand(Surroundings surroundings)
        : base(
            surroundings,
            "run",
            $"LLM-Shearing from end to end: learns masks, cuts, continues pretraining, measures. Stopped or killed, the same command goes on. Presets: {string.Join(", ", ShearingRecipe.Presets)}.",
            "shear run recipe.json --out SMALLER",
            "shear run recipe.json --out SMALLER --dry-run")
    {
        Arguments.Add(_recipe);
        AddOptions(_out, _force, _dry);
        AddOptions(_compute.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        ShearingRecipe recipe = ShearingRecipe.Read(run.Get(_recipe));
        Check(run, "learn", recipe.Learn);
        Check(run, "train", recipe.Continue);
        if (run.Get(_dry))
        {
            run.Result(recipe.Json, console => console.Line(recipe.Json().ToJsonString(new JsonSerializerOptions { WriteIndented = true })));
            return;
        }

        string target = run.Get(_out) ?? throw new UsageException("Nothing says where the result goes. Give --out FOLDER.");
        string work = Path.TrimEndingDirectorySeparator(target) + ".run";
        StageFolder.EnsureFree(target, run.Get(_force), work, "continue");
        StageFolder stages = StageFolder.Open(work, recipe.Json());
        var manifest = new RunManifest(stages, recipe, run);
        string[] device = run.Get(_compute.Device) is { } name ? ["--device", name] : [];
        string type = TypeOf(run, stages, recipe);
        string[] Compute(JsonObject settings) =>
            run.Get(_compute.Type) is null && settings["compute"]?.ToString() is not (null or ComputeType.Auto) ? device : [.. device, "--compute", type];
        manifest.Write(null);

        JsonElement learned = stages.Stage("learn", () => NestedShear.Run(
            run, ["learn", recipe.Model, "--config", Settings(stages, "learn", recipe.Learn), "--run", stages["learn.run"], "--out", stages["learned"], "--force", .. Compute(recipe.Learn)]));
        manifest.Write("learn");
        JsonElement continued = default;
        if (!StageFolder.IsInterrupted(learned))
        {
            // The mixture that learning ended with goes on (LLM-Shearing carries it over by hand).
            JsonObject settings = recipe.Continue.DeepClone().AsObject();
            if (recipe.Learn["sampler"] is not null && settings["proportions"] is null)
                settings.TryAdd("proportions-from", stages["learn.run"]);
            continued = stages.Stage("continue", () => NestedShear.Run(
                run, ["train", stages["learned"], "--config", Settings(stages, "continue", settings), "--run", stages["continue.run"], "--out", stages["continued"], "--force", .. Compute(settings)]));
            manifest.Write("continue");
        }

        bool done = continued.ValueKind == JsonValueKind.Object && !StageFolder.IsInterrupted(continued);
        JsonElement? before = null, after = null;
        if (done)
        {
            NestedShear.Run(run, ["convert", stages["continued"], "--out", target, .. run.Get(_force) ? ["--force"] : Array.Empty<string>()]);
            if (recipe.HeldOut is { } heldOut)
            {
                string[] rows = ["--rows", recipe.Learn["held-out-rows"]?.ToString() ?? "32", .. recipe.Learn["mds-dtype"] is { } width ? ["--mds-dtype", width.ToString()] : Array.Empty<string>()];
                before = stages.Stage("source", () => NestedShear.Run(run, ["eval", recipe.Model, "--data", heldOut, .. rows, .. device]));
                after = stages.Stage("result", () => NestedShear.Run(run, ["eval", target, "--data", heldOut, .. rows, .. device]));
            }

            manifest.Write("result");
        }

        run.Result(() => manifest.Json(done ? target : null), console => Print(console, learned, continued, before, after, done ? target : null, work));
    }

    // Hours of learning must not end at a mistake in the settings of what follows.
    private void Check(Invocation run, string verb, JsonObject settings)
    {
        JsonObject plain = settings.DeepClone().AsObject();
        if (plain["reference-losses"] is JsonObject)
            plain["reference-losses"] = "FILE";
        ConfigFile.Check([verb, "MODEL"], SafeJson.Element(plain.ToJsonString()), $"{run.Get(_recipe)} ({(verb == "learn" ? "learn" : "continue")})", run.Surroundings);
    }

    // The type of the stages that do not name one: that of the first, also when the run has moved to another machine meanwhile.
    private string TypeOf(Invocation run, StageFolder stages, ShearingRecipe recipe)
    {
        Device device = ComputeDevice.Resolve(run.Get(_compute.Device) ?? recipe.Learn["device"]?.ToString());
        string wanted = run.Get(_compute.Type) ?? recipe.Learn["compute"]?.ToString() ?? ComputeType.Auto;
        ScalarType? begun = wanted == ComputeType.Auto ? RunComputeType.OfRun(stages["learn.run"]) : null;
        string type = ComputeType.NameOf(begun ?? ComputeType.Resolve(wanted, device));
        run.Note($"computes on {ComputeDevice.NameOf(device)} in {type}{(begun is null ? "" : ", as the run was begun")}");
        return type;
    }

    private static string Settings(StageFolder stages, string stage, JsonObject settings)
    {
        if (settings["reference-losses"] is JsonObject losses)
        {
            string file = stages["reference-losses.json"];
            OutputFile.Write(file, w => w.Write(losses.ToJsonString()));
            settings["reference-losses"] = file;
        }

        string path = stages[$"{stage}-settings.json"];
        OutputFile.Write(path, w => w.Write(settings.ToJsonString()));
        return path;
    }

    private static void Print(IAnsiConsole console, JsonElement learned, JsonElement continued, JsonElement? before, JsonElement? after, string? target, string work)
    {
        console.Line($"learn: {learned.GetProperty("message").Text()}");
        if (continued.ValueKind == JsonValueKind.Object)
            console.Line($"continue: {continued.GetProperty("message").Text()}");
        if (before is { } b && after is { } a)
        {
            var table = new Table().Border(TableBorder.Simple).AddColumns(
                new TableColumn("held out"), new TableColumn("perplexity of the source").RightAligned(), new TableColumn("of the result").RightAligned());
            foreach (JsonProperty domain in b.GetProperty("domains").EnumerateObject())
                table.AddRow(domain.Name, Perplexity(domain.Value), Perplexity(a.GetProperty("domains").GetProperty(domain.Name)));
            table.AddRow("all", Perplexity(b), Perplexity(a));
            console.Write(table);
        }

        console.Line(target is null ? $"the same command goes on; everything so far is in {work}" : $"written to {target}; masks, plan, logs and manifest are in {work}");
    }

    private static string Perplexity(JsonElement result) => Numbers.Significant(result.GetProperty("perplexity").GetDouble());
}
