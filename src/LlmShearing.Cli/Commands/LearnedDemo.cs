// The demo's second half, --learned: LLM-Shearing in small. Masks are learned to a shape and the result is trained on; beside it magnitude pruning to the same
// shape, trained on as many tokens. By the commands that a user would type.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Files;
using LlmShearing.Json;
using LlmShearing.Planning;
using LlmShearing.Scoring;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

/// <param name="Source">Shape of the model.</param>
/// <param name="Target">Shape of both results.</param>
/// <param name="Dense">Perplexity before anything.</param>
/// <param name="Routes">Learned masks, then magnitude.</param>
/// <param name="Masks">What `shear learn` said.</param>
/// <param name="Folder">Where everything is.</param>
internal sealed record LearnedDemo(LlamaShape Source, LlamaShape Target, double Dense, IReadOnlyList<DemoRoute> Routes, JsonElement Masks, string Folder)
{
    // What goes, axis by axis: of the demo model 16 of 128 hidden channels, one of two key/value groups, 96 of 352 feed-forward channels, 2 of 12 blocks; about half of what is outside the embedding.
    private static readonly (PruningAxes Axis, double Ratio)[] Removed =
        [(PruningAxes.Hidden, 0.125), (PruningAxes.KeyValueGroups, 0.5), (PruningAxes.Intermediate, 0.273), (PruningAxes.Layers, 0.17)];

    // Settings of all training here.
    private static JsonObject Training(string file, int steps) =>
        new() { ["file"] = file, ["length"] = 128, ["steps"] = steps, ["batch-size"] = 16, ["micro-batch"] = 16, ["lr"] = 1e-3, ["no-recompute"] = true, ["compute"] = "float32" };

    /// <summary>Runs both routes.</summary>
    /// <param name="run">The demo.</param>
    /// <param name="model">Folder of the model.</param>
    /// <param name="folder">Where everything goes.</param>
    /// <param name="training">Text to train on.</param>
    /// <param name="evaluation">Other text, to measure on.</param>
    /// <param name="steps">Steps of continued training after masks were learned for half as many again.</param>
    /// <param name="place">The --device option for every verb.</param>
    public static LearnedDemo Execute(Invocation run, string model, string folder, string training, string evaluation, int steps, string[] place)
    {
        int learning = steps + (steps / 2);
        LlamaShape source = ModelFolder.Config(model).Shape, target = Removed.Aggregate(source, (shape, r) => TargetShape.Reduce(shape, r.Axis, r.Ratio));
        double Perplexity(string of) => NestedShear.Run(run, ["eval", of, "--file", evaluation, "--protocol", "llm-pruner", .. place]).GetProperty("perplexity").GetDouble();
        double dense = Perplexity(model);

        string learned = Path.Combine(folder, "learned"), work = learned + ".run", recipe = WriteJson(folder, "recipe.json", new JsonObject
        {
            ["preset"] = "small",
            ["model"] = model,
            ["target"] = Sizes(target),
            ["learn"] = Merged(Training(training, learning), new JsonObject { ["ramp"] = learning / 2, ["micro-batch"] = 4, ["accept-unconverged"] = true }),
            ["continue"] = Training(training, steps),
        });
        Clear(work);   // the demo starts anew; a user's run would go on
        JsonElement result = Finished(NestedShear.Run(run, ["run", recipe, "--out", learned, "--force", .. place]));
        JsonElement stages = result.GetProperty("stages"), masks = stages.GetProperty("learn");
        var first = new DemoRoute(
            "learned masks", [$"shear run {recipe} --out {learned}"], Perplexity(Path.Combine(work, "learned")), Perplexity(learned),
            Tokens(masks) + Tokens(stages.GetProperty("continue")));

        string pruned = Path.Combine(folder, "magnitude-shape"), trained = Path.Combine(folder, "magnitude-trained"), settings = WriteJson(folder, "magnitude.json", Training(training, learning + steps));
        string[] prune = ["prune", model, "--scorer", ScorerNames.Magnitude, .. Sizes(target).SelectMany(s => new[] { "--" + s.Key, s.Value!.ToString() }), "--out", pruned];
        string[] train = ["train", pruned, "--config", settings, "--out", trained];
        NestedShear.Run(run, [.. prune, "--force", .. place]);
        Clear(trained + ".run");
        JsonElement continued = Finished(NestedShear.Run(run, [.. train, "--force", .. place]));
        var second = new DemoRoute(
            ScorerNames.Magnitude, [$"shear {string.Join(' ', prune)}", $"shear {string.Join(' ', train)}"], Perplexity(pruned), Perplexity(trained), Tokens(continued));
        return new LearnedDemo(source, target, dense, [first, second], masks, folder);
    }

    public JsonObject Json(string text) => new()
    {
        ["text"] = text,
        ["target"] = Sizes(Target),
        ["parameters_before"] = Source.ParameterCount,
        ["parameters_after"] = Target.ParameterCount,
        ["perplexity_dense"] = Numbers.Json(Dense),
        ["routes"] = new JsonObject(Routes.Select(r => KeyValuePair.Create(r.Name, (JsonNode?)r.Json()))),
        ["masks"] = new JsonObject { ["converged"] = Masks.GetProperty("converged").GetBoolean(), ["sparsity"] = SafeJson.Node(Masks.GetProperty("sparsity").GetRawText()) },
        ["out"] = Folder,
    };

    public void Print(IAnsiConsole console, string text)
    {
        console.Line($"from {Text(Source)}: {Numbers.Count(Source.ParameterCount)} parameters");
        console.Line($"to   {Text(Target)}: {Numbers.Count(Target.ParameterCount)}, {Outside(Target) * 100 / Outside(Source)}% of those outside the embedding");
        var table = new Table().Border(TableBorder.Simple).AddColumns(
            new TableColumn("route"), new TableColumn("perplexity dense").RightAligned(), new TableColumn("cut").RightAligned(), new TableColumn("after training").RightAligned(), new TableColumn("tokens in all").RightAligned());
        foreach (DemoRoute route in Routes)
            table.AddRow(route.Name, Numbers.Significant(Dense), Numbers.Significant(route.Cut), Numbers.Significant(route.Trained), Numbers.Count(route.Tokens));
        console.Write(table);
        var masks = new Table().Border(TableBorder.Simple).AddColumns(
            new TableColumn("masks of"), new TableColumn("expected sparsity").RightAligned(), new TableColumn("target").RightAligned());
        foreach (JsonProperty kind in Masks.GetProperty("sparsity").EnumerateObject())
            masks.AddRow(kind.Name, Sparsity(kind.Value, "expected"), Sparsity(kind.Value, "target"));
        console.Write(masks);
        console.Line(Masks.GetProperty("converged").GetBoolean() ? "The masks have converged." : "The masks have not converged (more than 0.01 from a target): a longer run (--steps) helps.");
        console.Line($"text: {text}");
        console.Line("Learned masks train before the cut, magnitude only after it: the last perplexities are those to compare. The dense model never saw this kind of text, so training gains more than it recovers.");
        foreach (string command in Routes.SelectMany(r => r.Commands))
            console.Line(command);
    }

    private static string Text(LlamaShape s) =>
        $"hidden {s.HiddenSize}, {s.Layers.Length} blocks, {s.Layers[0].QueryHeads} heads over {s.Layers[0].KeyValueHeads}, intermediate {s.Layers[0].IntermediateSize}";

    private static JsonObject Sizes(LlamaShape s) => new()
    {
        ["hidden"] = s.HiddenSize,
        ["heads"] = s.Layers[0].QueryHeads,
        ["intermediate"] = s.Layers[0].IntermediateSize,
        ["layers"] = s.Layers.Length,
    };

    private static long Outside(LlamaShape s) => s.ParameterCount - ((long)s.VocabSize * s.HiddenSize * (s.TiedEmbeddings ? 1 : 2));

    private static string Sparsity(JsonElement of, string name) => of.GetProperty(name).GetDouble().ToString("0.000", CultureInfo.InvariantCulture);

    private static long Tokens(JsonElement training) => training.GetProperty("tokens").GetInt64();

    private static JsonElement Finished(JsonElement result) =>
        result.GetProperty("out").ValueKind == JsonValueKind.String ? result : throw new OperationCanceledException();

    private static JsonObject Merged(JsonObject settings, JsonObject more)
    {
        foreach ((string name, JsonNode? value) in more)
            settings[name] = value?.DeepClone();
        return settings;
    }

    private static string WriteJson(string folder, string name, JsonObject json)
    {
        string path = Path.Combine(folder, name);
        OutputFile.Write(path, w => w.Write(json.ToJsonString(new JsonSerializerOptions { WriteIndented = true })));
        return path;
    }

    private static void Clear(string folder)
    {
        if (Directory.Exists(folder))
            FileSteps.DeleteFolder(folder);
    }
}

/// <summary>One way to the target shape.</summary>
/// <param name="Name">What chose the units.</param>
/// <param name="Commands">What was run.</param>
/// <param name="Cut">Perplexity right after the cut.</param>
/// <param name="Trained">Perplexity after training.</param>
/// <param name="Tokens">Tokens trained on, before and after the cut.</param>
internal sealed record DemoRoute(string Name, IReadOnlyList<string> Commands, double Cut, double Trained, long Tokens)
{
    public JsonObject Json() => new()
    {
        ["commands"] = new JsonArray([.. Commands.Select(c => (JsonNode)c)]),
        ["perplexity_cut"] = Numbers.Json(Cut),
        ["perplexity_trained"] = Numbers.Json(Trained),
        ["tokens"] = Tokens,
    };
}
