// The model that a verb reads, and how.
using System.CommandLine;

namespace LlmShearing.Cli.Options;

internal sealed class ModelOptions
{
    public Argument<string> Folder { get; } = Argument();

    public Option<bool> Stream { get; } = Opt.Flag("--stream", "Read the weights from disk block by block: for models larger than memory.");

    public ComputeOptions Compute { get; } = new("float32");

    public Option[] All => [Stream, .. Compute.All];

    public static Argument<string> Argument(string description = "Hugging Face folder with config.json and *.safetensors.") =>
        new("MODEL") { Description = description };
}
