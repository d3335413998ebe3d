// shear plan: decides what stays, and writes it down.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Commands;

internal sealed class PlanCommand : ShearCommand
{
    private readonly PlanRequest _request = new();
    private readonly Option<string?> _out = Opt.Text("--out", "FILE", "Write the plan there (JSON).");

    public PlanCommand(Surroundings surroundings)
        : base(
            surroundings,
            "plan",
            "Plans what stays: from scores, to exact sizes, or by hand.",
            "shear plan MODEL --scores scores.json --remove 8 --out plan.json",
            "shear plan MODEL --scorer block-perplexity --file calibration.jsonl --ratio 0.25 --iterative --out plan.json",
            "shear plan MODEL --scorer gate-taylor --file calibration.jsonl --hidden 384 --heads 6 --intermediate 1024 --out plan.json",
            "shear plan MODEL --remove-layers 20-24 --out plan.json",
            "shear plan MODEL --keep-layers 0-7,10 --keep-query-heads 0-3 --out plan.json")
    {
        Arguments.Add(_request.Model.Folder);
        AddOptions(_out);
        AddOptions(_request.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        PruningPlan plan = _request.Make(run).Plan;
        if (run.Get(_out) is { } path)
        {
            plan.Save(path);
            run.Note($"plan written to {path}");
        }

        run.Result(
            () =>
            {
                JsonObject json = PlanPicture.Json(plan);
                json["out"] = run.Get(_out);
                return json;
            },
            console => PlanPicture.Draw(console, plan));
    }
}
