// shear apply: cuts a model along a plan, from folder to folder, without loading it.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Surgery;

namespace LlmShearing.Cli.Commands;

internal sealed class ApplyCommand : ShearCommand
{
    private readonly Argument<string> _model = ModelOptions.Argument();
    private readonly Option<string?> _plan = Opt.Text("--plan", "FILE", "The plan, from 'shear plan --out'.");
    private readonly SurgeryOptions _surgery = new();

    public ApplyCommand(Surroundings surroundings)
        : base(
            surroundings,
            "apply",
            "Cuts a model along a plan and writes the smaller one. Memory does not grow with the model.",
            "shear apply MODEL --plan plan.json --out SMALLER",
            "shear apply MODEL --plan plan.json --out SMALLER --layout padded --dtype bfloat16 --max-shard-size 2GB")
    {
        Arguments.Add(_model);
        AddOptions(_plan);
        AddOptions(_surgery.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        using ModelOutput output = _surgery.Output(run);
        PruningPlan plan = PruningPlan.Load(run.Get(_plan) ?? throw new UsageException("There is no plan to apply. Give --plan FILE; 'shear plan' makes one."));
        string source = run.Get(_model);
        plan.EnsureFor(ModelFolder.Config(source).Shape);
        output.Expect(plan.Target);
        long start = run.Surroundings.Time.GetTimestamp();
        LlamaConfig written = CheckpointSurgery.Apply(source, plan, output.Path, _surgery.Read(run), run.Progress, run.Cancellation);
        output.Finish(run);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(
            () =>
            {
                JsonObject json = FolderReport.Json(output.Folder, written, seconds);
                json["plan"] = PlanPicture.Json(plan);
                return json;
            },
            console =>
            {
                PlanPicture.Draw(console, plan);
                console.Line(FolderReport.Line(output, seconds));
            });
    }
}
