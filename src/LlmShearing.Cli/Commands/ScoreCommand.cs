// shear score: how much each unit matters.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Scoring;

namespace LlmShearing.Cli.Commands;

internal sealed class ScoreCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly ScorerOptions _scorer = new();
    private readonly CalibrationOptions _calibration = new();
    private readonly Option<string?> _axes = Completions.List(Opt.Text("--axes", "LIST", $"What to score: {ScoreReport.AxisNames}. [default: layers]"), ScoreReport.AxisNames.Split(", "));
    private readonly Option<string?> _out = Opt.Text("--out", "FILE", "Write the scores there, for 'shear plan --scores'.");

    public ScoreCommand(Surroundings surroundings)
        : base(
            surroundings,
            "score",
            "Scores blocks, heads or channels: larger means keep.",
            "shear score MODEL --scorer magnitude",
            "shear score MODEL --scorer block-perplexity --file calibration.jsonl --out scores.json",
            "shear score MODEL --scorer gate-taylor --axes hidden,query-heads,intermediate --ids ids.json --json")
    {
        Arguments.Add(_model.Folder);
        AddOptions(_scorer.All);
        AddOptions(_axes, _out);
        AddOptions(_calibration.All);
        AddOptions(_model.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        IImportanceScorer scorer = _scorer.Create(run);
        _ = _model.Compute.Read(run);
        PruningAxes axes = run.Get(_axes) is { } list ? ScoreReport.ParseAxes(list) : PruningAxes.Layers;
        IReadOnlyList<int[]> rows = _calibration.Rows(run, run.Get(_model.Folder));
        long start = run.Surroundings.Time.GetTimestamp();
        using OpenModel model = ModelFolder.Open(run, _model);
        var request = new ScoringRequest(model.Source, axes, TokenBatch.Batches(rows, run.Get(_calibration.BatchSize)!.Value), _calibration.SeedOf(run));
        ImportanceScores scores = scorer.Score(request, run.Progress, run.Cancellation);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        if (run.Get(_out) is { } path)
        {
            ImportanceScoresJson.Save(scores, path);
            run.Note($"scores written to {path}");
        }

        run.Result(
            () =>
            {
                JsonObject json = ScoreReport.Json(scores);
                json["calibration"] = new JsonObject { ["rows"] = rows.Count, ["tokens"] = rows.Sum(r => r.LongLength) };
                json["seconds"] = seconds;
                json["out"] = run.Get(_out);
                return json;
            },
            console => ScoreReport.Print(console, scores));
    }
}
