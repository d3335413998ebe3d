// What all verbs share: the common options, examples in the help, and errors that become exit codes.
using System.CommandLine;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Cli.Commands;

internal abstract class ShearCommand : Command
{
    private readonly CommonOptions _common = new();

    protected ShearCommand(Surroundings surroundings, string name, string description, params string[] examples)
        : base(name, description)
    {
        Examples = examples;
        SetAction((parsed, cancellation) => Task.FromResult(Run(surroundings, parsed, cancellation)));
    }

    /// <summary>Whole command lines, shown at the end of --help.</summary>
    public IReadOnlyList<string> Examples { get; }

    /// <summary>The option that names a file of settings; null for verbs that have none.</summary>
    public Option<string?>? Config { get; private set; }

    protected void AddConfigOption()
    {
        Config = Opt.Text("--config", "FILE", "JSON file of settings: this verb's options without dashes, for example { \"steps\": 100 }. The command line wins.");
        Options.Add(Config);
    }

    protected void AddOptions(params Option[] options)
    {
        foreach (Option option in options)
            Options.Add(option);
    }

    /// <summary>To be called last, so that the common options close the list.</summary>
    protected void AddCommonOptions() => AddOptions(_common.All);

    protected abstract void Execute(Invocation run);

    private int Run(Surroundings surroundings, ParseResult parsed, CancellationToken cancellation)
    {
        using var progress = new ProgressPrinter(surroundings, parsed.GetValue(_common.Quiet));
        var run = new Invocation(surroundings, _common, parsed, progress, cancellation);
        return ExitCodes.Guard(surroundings, progress, () => run is { Json: true, HasResult: false }, () =>
        {
            cancellation.ThrowIfCancellationRequested();
            if (parsed.GetValue(_common.Threads) is int threads)
            {
                TorchRuntime.EnsureLoaded();
                set_num_threads(threads);
            }

            Execute(run);
        });
    }
}
