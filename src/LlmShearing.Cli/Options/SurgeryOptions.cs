// Where a model is written, and in what form.
using System.CommandLine;
using LlmShearing.Checkpoints;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Surgery;

namespace LlmShearing.Cli.Options;

internal sealed class SurgeryOptions
{
    public Option<string?> Out { get; } = Opt.Text("--out", "FOLDER", "Folder to write; it must not exist, unless --force.");

    public Option<bool> Force { get; } = Opt.Flag("--force", "Replace the folder when it exists.");

    public Option<long?> MaxShardSize { get; } = Opt.Size("--max-shard-size", "Largest weight file.", "5GB");

    public Option<string?> Dtype { get; } = Opt.Choice("--dtype", "Number format of the weights. [default: as stored]", DtypeNames.All);

    public Option<string?> Layout { get; } = Opt.Choice(
        "--layout",
        "Form of the folder where blocks differ in shape. plain: an ordinary Hugging Face folder, refused then; padded: ordinary, filled up with zeros; exact: sizes for every block. [default: auto, that is plain where possible, else exact]",
        "auto", "plain", "padded", "exact");

    public Option[] All => [Out, Force, Layout, Dtype, MaxShardSize];

    /// <summary>The folder to write, checked before any work is done.</summary>
    public ModelOutput Output(Invocation run) => ModelOutput.Open(Folder(run), run.Get(Force));

    /// <summary>Its name.</summary>
    public string Folder(Invocation run) => run.Get(Out) ?? throw new UsageException("Nothing says where the model goes. Give --out FOLDER.");

    public CheckpointSurgeryOptions Read(Invocation run) => new()
    {
        Overwrite = run.Get(Force),
        Logger = run.Log,
        MaxShardSize = run.Get(MaxShardSize) ?? LlamaCheckpointWriterOptions.DefaultMaxShardSize,
        Layout = run.Get(Layout) switch
        {
            "plain" => CheckpointLayout.Plain,
            "padded" => CheckpointLayout.Padded,
            "exact" => CheckpointLayout.Exact,
            _ => CheckpointLayout.Auto,
        },
        Dtype = run.Get(Dtype) switch
        {
            "float32" => SafetensorsDtype.F32,
            "float16" => SafetensorsDtype.F16,
            "bfloat16" => SafetensorsDtype.BF16,
            _ => null,
        },
    };
}
