// shear inspect: what a folder holds, and what a plan would leave of it. Reads no weights.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal sealed class InspectCommand : ShearCommand
{
    private readonly Argument<string> _model = ModelOptions.Argument();
    private readonly Option<string?> _plan = Opt.Text("--plan", "FILE", "Draw what this plan keeps.");

    public InspectCommand(Surroundings surroundings)
        : base(
            surroundings,
            "inspect",
            "Shows shape, parameters, number format and files of a model, and a picture of a plan.",
            "shear inspect MODEL",
            "shear inspect MODEL --plan plan.json")
    {
        Arguments.Add(_model);
        AddOptions(_plan);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(run.Get(_model));
        PruningPlan? plan = run.Get(_plan) is { } path ? PruningPlan.Load(path) : null;
        plan?.EnsureFor(checkpoint.Config.Shape);
        run.Result(
            () =>
            {
                JsonObject json = ModelReport.Json(checkpoint);
                if (plan is not null)
                    json["plan"] = PlanPicture.Json(plan);
                return json;
            },
            console =>
            {
                ModelReport.Print(console, checkpoint);
                if (plan is null)
                    return;
                console.Line();
                PlanPicture.Draw(console, plan);
            });
    }
}
