// Options that every verb has. Each verb has its own instances: System.CommandLine symbols know their parents.
using System.CommandLine;

namespace LlmShearing.Cli.Options;

internal sealed class CommonOptions
{
    public Option<bool> Json { get; } = Opt.Flag("--json", "Print exactly one JSON object on standard output.");

    public Option<bool> Quiet { get; } = new("--quiet", "-q") { Description = "No progress and no notes on standard error." };

    public Option<int?> Threads { get; } = Opt.Int("--threads", "N", "Threads for tensor work. [default: the machine's cores]", 1, maximum: Limits.Threads);

    public Option[] All => [Json, Quiet, Threads];
}
