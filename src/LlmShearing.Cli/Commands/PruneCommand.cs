// shear prune: score, plan and apply in one, and the perplexity before and after when there is text to measure on.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Evaluation;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal sealed class PruneCommand : ShearCommand
{
    private readonly PlanRequest _request = new();
    private readonly SurgeryOptions _surgery = new();
    private readonly RecoveryOptions _recovery = new();
    private readonly Option<string?> _planOut = Opt.Text("--plan-out", "FILE", "Write the plan there, too.");
    private readonly Option<string?> _evaluate = Opt.Text("--evaluate", "FILE", "Measure the perplexity before and after on this text (.txt, .jsonl) or these ids (.json).");
    private readonly Option<string?> _protocol = Opt.Choice("--protocol", "Protocol of --evaluate. [default: documents for text, rows for ids]", [.. PerplexityProtocol.Names]);

    public PruneCommand(Surroundings surroundings)
        : base(
            surroundings,
            "prune",
            "Scores, plans and cuts in one go.",
            "shear prune MODEL --scorer block-perplexity --remove 8 --file calibration.jsonl --out SMALLER",
            "shear prune MODEL --scorer angular --contiguous --ratio 0.25 --ids ids.json --out SMALLER --evaluate test.jsonl",
            "shear prune MODEL --scorer gate-taylor --intermediate 1024 --heads 6 --file calibration.jsonl --out SMALLER",
            "shear prune MODEL --scorer block-perplexity --ratio 0.25 --file corpus.jsonl --recover lora --out SMALLER --evaluate test.jsonl")
    {
        Arguments.Add(_request.Model.Folder);
        AddOptions(_surgery.All);
        AddOptions(_planOut, _evaluate, _protocol);
        AddOptions(_recovery.All);
        AddOptions(_request.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        if (_recovery.IsGiven(run))
        {
            PruneAndRecover(run);
            return;
        }

        using ModelOutput output = _surgery.Output(run);

        EvaluationText? text = Text(run);
        PruningResult result = PruningRun.Execute(run, _request.Model, text, () => _request.Make(run), output, _surgery.Read(run));
        if (run.Get(_planOut) is { } path)
            result.Plan.Plan.Save(path);
        run.Result(() => Json(result), console => Print(console, result));
    }

    private void PruneAndRecover(Invocation run)
    {
        string target = _surgery.Folder(run);
        _ = _request.Model.Compute.Read(run);
        string work = Path.TrimEndingDirectorySeparator(target) + ".run";
        RecoveryPipeline.EnsureFree(target, run.Get(_surgery.Force), work);
        string[] prune = run.Without([_surgery.Out, _surgery.Force, .. _recovery.All]);
        RecoveryResult result = RecoveryPipeline.Execute(
            run, prune, _recovery.Command(run, _request.Calibration.Files(run), _request.Calibration.Field(run), run.Get(_request.Model.Compute.Device)), work, target, run.Get(_surgery.Force), _request.Model, () => Text(run));
        run.Result(result.Json, result.Print);
    }

    private EvaluationText? Text(Invocation run) =>
        run.Get(_evaluate) is { } file ? EvaluationText.Read(file, run.Get(_protocol), _request.Calibration.Field(run)) : null;

    private static JsonObject Json(PruningResult result)
    {
        PruningPlan plan = result.Plan.Plan;
        JsonObject json = PlanPicture.Json(plan);
        if (result.Plan.Scores is { } scores && scores.Has(PruningAxes.Layers))
            json["order"] = Numbers.Json(scores.LayerOrder());
        json["perplexity_before"] = result.Before is { } before ? Numbers.Json(before) : null;
        json["perplexity_after"] = result.After is { } after ? Numbers.Json(after) : null;
        json["seconds"] = result.Seconds;
        json["out"] = result.Folder;
        return json;
    }

    private static void Print(IAnsiConsole console, PruningResult result)
    {
        PlanPicture.Draw(console, result.Plan.Plan);
        if (result is { Before: { } before, After: { } after })
            console.Line($"perplexity {Numbers.Significant(before)} -> {Numbers.Significant(after)}");
        console.Line(FolderReport.Line(result.Folder, result.WasComplete, result.Seconds));
    }
}
