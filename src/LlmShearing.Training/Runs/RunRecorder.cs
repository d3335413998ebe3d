// Where the numbers of a run go: log.jsonl, TensorBoard, meters.
using System.Text.Json.Nodes;
using LlmShearing.Training.Telemetry;

namespace LlmShearing.Training.Runs;

/// <summary>What a step came to.</summary>
internal sealed record StepRecord(long Step, double Loss, IReadOnlyDictionary<string, double> Parts, double GradientNorm, IReadOnlyList<(string Group, double Rate)> Rates, long Tokens, long TotalTokens, bool Skipped, TimeSpan Duration)
{
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}

/// <summary>The mixture at an evaluation: shares of the samples to come, and samples of each domain so far.</summary>
internal sealed record DomainRecord(IReadOnlyDictionary<string, double>? Proportions, IReadOnlyDictionary<string, long>? Drawn);

internal sealed class RunRecorder(RunLog log, TensorBoardWriter board, TrainingMeters meters, TimeProvider time)
{
    public void Step(StepRecord step, bool logged)
    {
        meters.Step(step.Loss, step.Tokens, step.Duration, step.Skipped);
        if (!logged && !step.Skipped)
            return;
        double speed = step.Tokens / Math.Max(step.Duration.TotalSeconds, 1e-9);
        var line = new JsonObject
        {
            ["step"] = step.Step,
            ["kind"] = step.Skipped ? "skipped" : "step",
            ["loss"] = Number(step.Loss),
            ["parts"] = Numbers(step.Parts),
            ["gradient_norm"] = Number(step.GradientNorm),
            ["learning_rate"] = Numbers(step.Rates.ToDictionary(r => r.Group, r => r.Rate, StringComparer.Ordinal)),
            ["tokens"] = step.TotalTokens,
        };
        if (step.Metrics.Count > 0)
            line["metrics"] = Numbers(step.Metrics);
        line["time"] = Time(new() { ["seconds"] = step.Duration.TotalSeconds, ["tokens_per_second"] = speed });
        log.Append(line);
        board.Scalars(
            step.Step,
            [
                ("train/loss", step.Loss),
                .. step.Parts.Where(p => step.Parts.Count > 1).Select(p => ($"train/loss/{p.Key}", p.Value)),
                ("train/gradient_norm", step.GradientNorm),
                .. step.Rates.Select(r => ($"train/learning_rate/{r.Group}", r.Rate)),
                .. step.Metrics.Select(m => ($"train/{m.Key}", m.Value)),
                ("speed/tokens_per_second", speed),
            ]);
    }

    public void Evaluation(EvaluationLosses losses, DomainRecord domains, IReadOnlyDictionary<string, IReadOnlyList<double>> distributions)
    {
        meters.Evaluation(losses, domains.Proportions);
        var line = new JsonObject
        {
            ["step"] = losses.Step,
            ["kind"] = "evaluation",
            ["loss"] = losses.Loss,
            ["sets"] = Numbers(losses.Sets),
        };
        if (domains.Proportions is { } proportions)
            line["proportions"] = Numbers(proportions);
        if (domains.Drawn is { } drawn)
            line["drawn"] = new JsonObject(drawn.Select(d => KeyValuePair.Create(d.Key, (JsonNode?)d.Value)));
        line["time"] = Time([]);
        log.Append(line);
        board.Scalars(
            losses.Step,
            [
                ("evaluation/loss", losses.Loss),
                .. losses.Sets.Select(s => ($"evaluation/loss/{s.Key}", s.Value)),
                .. (domains.Proportions ?? new Dictionary<string, double>()).Select(p => ($"proportion/{p.Key}", p.Value)),
                .. Shares(domains.Drawn).Select(p => ($"drawn/{p.Domain}", p.Share)),
            ]);
        foreach ((string name, IReadOnlyList<double> values) in distributions)
            board.Histogram(losses.Step, name, values);
    }

    /// <summary>Waits until the log is on the device.</summary>
    public void FlushToDisk() => log.FlushToDisk();

    private JsonObject Time(JsonObject members)
    {
        members["at"] = time.GetUtcNow().ToString("o", System.Globalization.CultureInfo.InvariantCulture);
        return members;
    }

    // What was drawn, beside the proportions that it should come near to; nothing before the first step.
    private static IEnumerable<(string Domain, double Share)> Shares(IReadOnlyDictionary<string, long>? drawn)
    {
        double all = drawn?.Values.Sum(n => (double)n) ?? 0;
        return all > 0 ? drawn!.Select(d => (d.Key, d.Value / all)) : [];
    }

    private static JsonObject Numbers(IReadOnlyDictionary<string, double> values) =>
        new(values.Select(v => KeyValuePair.Create(v.Key, (JsonNode?)Number(v.Value))));

    // JSON has no number for what is not finite.
    private static JsonNode Number(double value) => double.IsFinite(value) ? value : value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
