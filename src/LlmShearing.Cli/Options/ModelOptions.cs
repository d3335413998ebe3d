// The model that a verb reads, and how.
using System.CommandLine;

namespace LlmShearing.Cli;

internal sealed class ModelOptions
{
    public Argument<string> Folder { get; } = Argument();

    public Option<bool> Stream { get; } = Opt.Flag("--stream", "Read the weights from disk block by block: for models larger than memory.");

    public Option<string?> Compute { get; } = Opt.Choice("--compute", "Type to compute in. [default: float32]", DtypeNames.All);

    public Option[] All => [Stream, Compute];

    public static Argument<string> Argument(string description = "Hugging Face folder with config.json and *.safetensors.") =>
        new("MODEL") { Description = description };
}
