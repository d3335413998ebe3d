// shear convert: the same model in another number format, with other shards, or in another layout.
using System.CommandLine;

namespace LlmShearing.Cli;

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
        string target = _surgery.Folder(run);
        long start = run.Surroundings.Time.GetTimestamp();
        LlamaConfig written = CheckpointSurgery.Convert(run.Get(_model), target, _surgery.Read(run), run.Progress, run.Cancellation);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(() => FolderReport.Json(target, written, seconds), console => console.Line(FolderReport.Line(target, seconds)));
    }
}
