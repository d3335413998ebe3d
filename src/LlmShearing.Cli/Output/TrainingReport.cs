// What a training run is about to do, and what it came to.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using Spectre.Console;

namespace LlmShearing.Cli.Output;

/// <param name="Result">What the trainer says.</param>
/// <param name="RunFolder">Folder of checkpoints and logs.</param>
/// <param name="Output">Folder of the result; null when the run was interrupted.</param>
/// <param name="Seconds">Time of this call.</param>
internal sealed record TrainingReport(TrainingResult Result, string RunFolder, string? Output, double Seconds)
{
    /// <summary>The settings as they were understood, in one line each.</summary>
    public static string Settings(LlamaConfig config, TrainingRunOptions options, TrainingInput input, int micro)
    {
        OptimizerSettings o = options.Optimizer;
        string shares = input.Data.Proportions is { } p
            ? string.Join(", ", p.Select(d => $"{d.Key} {d.Value.ToString("0.###", CultureInfo.InvariantCulture)}")) : "one source";
        long rows = (long)options.GradientAccumulation * micro;
        return string.Create(CultureInfo.InvariantCulture, $"""
            model     {config.Shape.Layers.Length} blocks, {Numbers.Count(config.Shape.ParameterCount)} parameters
            data      {shares}; rows of {input.RowLength} tokens
            steps     {options.Steps} of {rows} rows ({options.GradientAccumulation} x {micro}), {Numbers.Count(options.Steps * rows * input.RowLength)} tokens
            optimizer AdamW, rate {o.LearningRate:G4} {o.Schedule.ToString().ToLowerInvariant()} to {o.FinalFactor:G3} of it, warm-up {o.WarmupSteps}, betas {o.Beta1:G4} {o.Beta2:G4}, decay {o.WeightDecay:G4}, clip {o.ClipNorm:G4}{(o.ClipBy == GradientNorm.Infinity ? " (inf)" : "")}
            every     evaluation {(options.EvaluateEvery == 0 ? "never" : options.EvaluateEvery)}, checkpoint {options.CheckpointEvery}; seed {options.Seed}, {(options.Step.Recompute ? "activations recomputed" : "activations kept")}
            """);
    }

    /// <summary>What the verb has to add about its result; members go into the JSON as they are.</summary>
    public JsonObject? Details { get; init; }

    public JsonObject Json()
    {
        EvaluationLosses? first = FirstEvaluation();
        var json = new JsonObject
        {
            ["stop"] = Result.Stop.ToString().ToLowerInvariant(),
            ["message"] = Result.Message,
            ["step"] = Result.Step,
            ["resumed_at"] = Result.ResumedAt,
            ["loss"] = Result.Loss is { } loss ? Numbers.Json(loss) : null,
            ["evaluation_before"] = Json(first),
            ["evaluation"] = Json(Result.Evaluation),
            ["best"] = Json(Result.Best),
            ["tokens"] = Result.Tokens,
            ["proportions"] = Result.Proportions is { } shares ? new JsonObject(shares.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))) : null,
            ["drawn"] = Result.Drawn is { } drawn ? new JsonObject(drawn.Select(d => KeyValuePair.Create(d.Key, (JsonNode?)d.Value))) : null,
            ["skipped_steps"] = Result.SkippedSteps,
            ["run"] = RunFolder,
            ["out"] = Output,
            ["seconds"] = Seconds,
            ["warnings"] = new JsonArray([.. Result.Warnings.Select(w => (JsonNode)w)]),
        };
        foreach ((string name, JsonNode? value) in Details ?? [])
            json[name] = value?.DeepClone();
        return json;
    }

    public void Print(IAnsiConsole console)
    {
        if (Result.Evaluation is { } last)
        {
            EvaluationLosses? first = FirstEvaluation();
            var table = new Table().Border(TableBorder.Simple).AddColumns(
                new TableColumn("held out"), new TableColumn("perplexity before").RightAligned(), new TableColumn("after").RightAligned());
            foreach ((string name, double loss) in last.Sets)
                table.AddRow(name, first is not null && first.Sets.TryGetValue(name, out double before) ? Perplexity(before) : "", Perplexity(loss));
            table.AddRow("all", first is null ? "" : Perplexity(first.Loss), Perplexity(last.Loss));
            console.Write(table);
        }

        console.Line(Result.Message);
        if (Result.Proportions is { Count: > 1 } shares)
            console.Line($"shares {string.Join(", ", shares.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key} {p.Value:0.####}")))}; drawn {string.Join(", ", (Result.Drawn ?? new Dictionary<string, long>()).Select(d => $"{d.Key} {Numbers.Count(d.Value)}"))}");
        console.Line($"{Numbers.Count(Result.Tokens)} tokens in {Result.Step} steps; logs and checkpoints in {RunFolder}");
        if (Output is not null)
            console.Line($"written to {Output}");
    }

    private static string Perplexity(double loss) => Numbers.Significant(Math.Exp(loss));

    private static JsonObject? Json(EvaluationLosses? losses) => losses is null ? null : new JsonObject
    {
        ["step"] = losses.Step,
        ["loss"] = Numbers.Json(losses.Loss),
        ["perplexity"] = Numbers.Json(Math.Exp(losses.Loss)),
        ["tokens"] = losses.Tokens,
        ["sets"] = new JsonObject(losses.Sets.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)Numbers.Json(s.Value)))),
    };

    // A line that is no evaluation, or is damaged, says nothing.
    private static EvaluationLosses? First(string text)
    {
        try
        {
            return StrictJson.Read(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)), "log.jsonl", (message, cause) => new UsageException(message, cause), line =>
                line.Text("kind") == "evaluation" ? new EvaluationLosses(line.Long("step", 0), line.Number("loss"), line.Object("sets").Numbers(), 0) : null);
        }
        catch (UsageException)
        {
            return null;
        }
    }

    // The evaluation before the first step is in the log of the run, whichever call made it.
    private EvaluationLosses? FirstEvaluation()
    {
        string log = Path.Combine(RunFolder, "log.jsonl");
        if (!File.Exists(log))
            return null;
        foreach (string text in File.ReadLines(log))
        {
            if (First(text) is not { } found)
                continue;
            return found.Step == 0 ? found : null;
        }

        return null;
    }
}
