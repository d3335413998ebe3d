// Where the smaller model goes, and in what form.
using System.CommandLine;

namespace LlmShearing.Cli;

internal sealed class SurgeryOptions
{
    public Option<string?> Out { get; } = Opt.Text("--out", "FOLDER", "Folder to write; must not exist, unless --force.");

    public Option<bool> Force { get; } = Opt.Flag("--force", "Replace the folder when it exists.");

    public Option<long?> MaxShardSize { get; } = Opt.Size("--max-shard-size", "Largest weight file.", "5GB");

    public Option<string?> Dtype { get; } = Opt.Choice("--dtype", "Number format of the weights. [default: as stored]", DtypeNames.All);

    public Option<string?> Layout { get; } = Opt.Choice("--layout", "plain: an ordinary Hugging Face folder; padded: the same with zeros where blocks differ; exact: per-layer sizes. [default: auto, plain where possible, else padded]", "auto", "plain", "padded", "exact");

    public Option[] All => [Out, Force, Layout, Dtype, MaxShardSize];

    /// <summary>The folder to write, checked before any work is done.</summary>
    public string Folder(Invocation run)
    {
        string folder = run.Get(Out) ?? throw new UsageException("Nothing says where the model goes. Give --out FOLDER.");
        if (File.Exists(folder))
            throw new UsageException($"'{folder}' is a file. Give a folder name.");
        if (Directory.Exists(folder) && !run.Get(Force))
            throw new UsageException($"'{folder}' exists already. Choose another name, or give --force to replace it.");
        return folder;
    }
}
