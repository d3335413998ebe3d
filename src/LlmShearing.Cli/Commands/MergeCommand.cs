// shear merge: an adapter becomes part of the weights.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Lora;

namespace LlmShearing.Cli.Commands;

internal sealed class MergeCommand : ShearCommand
{
    private readonly Argument<string> _model = ModelOptions.Argument();
    private readonly Option<string?> _adapter = Opt.Text("--adapter", "FOLDER", "Adapter in PEFT's format, for example from 'shear tune'.");
    private readonly Option<string?> _out = Opt.Text("--out", "FOLDER", "Folder to write; it must not exist, unless --force.");
    private readonly Option<bool> _force = Opt.Flag("--force", "Replace the folder when it exists.");
    private readonly Option<bool> _safe = Opt.Flag("--safe", "Round the update before it is added, as PEFT's safe merge does. Differs below float32 only.");

    public MergeCommand(Surroundings surroundings)
        : base(surroundings, "merge", "Adds a LoRA adapter to the weights of a checkpoint, without loading the model.", "shear merge MODEL --adapter ADAPTER --out MERGED")
    {
        Arguments.Add(_model);
        AddOptions(_adapter, _out, _force, _safe);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string model = run.Get(_model);
        LlamaConfig config = ModelFolder.Config(model);
        string adapter = run.Get(_adapter) ?? throw new UsageException("Give --adapter FOLDER.");
        using ModelOutput output = ModelOutput.Open(run.Get(_out) ?? throw new UsageException("Nothing says where the model goes. Give --out FOLDER."), run.Get(_force));
        output.Expect(config.Shape);
        long start = run.Surroundings.Time.GetTimestamp();
        LoraMerge.Apply(model, adapter, output.Path, new LoraMergeOptions { Overwrite = run.Get(_force), Safe = run.Get(_safe), Logger = run.Log }, run.Progress, run.Cancellation);
        output.Finish(run);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(() => FolderReport.Json(output.Folder, ModelFolder.Config(output.Folder), seconds), console => console.Line(FolderReport.Line(output, seconds)));
    }
}
