// shear convert: the same model in another number format, with other shards, or in another layout.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Surgery;

namespace LlmShearing.Cli.Commands;

internal sealed class ConvertCommand : ShearCommand
{
    private readonly Argument<string> _model = ModelOptions.Argument();
    private readonly SurgeryOptions _surgery = new();

    public ConvertCommand(Surroundings surroundings)
        : base(
            surroundings,
            "convert",
            "Writes the same model in another number format, with other shards or in another layout.",
            "shear convert MODEL --dtype float32 --out MODEL-F32",
            "shear convert MODEL --max-shard-size 1GB --out MODEL-SHARDED",
            "shear convert MODEL --layout padded --out MODEL-PLAIN")
    {
        Arguments.Add(_model);
        AddOptions(_surgery.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        using ModelOutput output = _surgery.Output(run);
        output.Expect(ModelFolder.Config(run.Get(_model)).Shape);
        long start = run.Surroundings.Time.GetTimestamp();
        LlamaConfig written = CheckpointSurgery.Convert(run.Get(_model), output.Path, _surgery.Read(run), run.Progress, run.Cancellation);
        output.Finish(run);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(() => FolderReport.Json(output.Folder, written, seconds), console => console.Line(FolderReport.Line(output, seconds)));
    }
}
