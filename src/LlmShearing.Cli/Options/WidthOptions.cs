// Sizes to reach, and units to keep by hand.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Planning;
using LlmShearing.Plans;

namespace LlmShearing.Cli.Options;

internal sealed class WidthOptions
{
    public Option<int?> Hidden { get; } = Opt.Int("--hidden", "N", "Residual channels wanted.", 1);

    public Option<int?> Heads { get; } = Opt.Int("--heads", "N", "Query heads wanted in every block.", 1);

    public Option<int?> KeyValueHeads { get; } = Opt.Int("--kv-heads", "N", "Key/value heads wanted in every block.", 1);

    public Option<int?> Intermediate { get; } = Opt.Int("--intermediate", "N", "Feed-forward channels wanted in every block.", 1);

    public Option<int?> Layers { get; } = Opt.Int("--layers", "N", "Blocks wanted, together with the widths.", 1);

    public Option<bool> WithinGroups { get; } = Opt.Flag("--within-groups", "With --heads: keep all key/value heads, each with fewer query heads, instead of removing whole groups.");

    public Option[] All => [Hidden, Heads, KeyValueHeads, Intermediate, Layers, WithinGroups];

    public bool IsGiven(Invocation run) => new[] { Hidden, Heads, KeyValueHeads, Intermediate, Layers }.Any(o => run.Get(o) is not null);

    public TargetSizes Read(Invocation run) => new()
    {
        Hidden = run.Get(Hidden),
        QueryHeads = run.Get(Heads),
        KeyValueHeads = run.Get(KeyValueHeads),
        Intermediate = run.Get(Intermediate),
        Layers = run.Get(Layers),
        Heads = run.Get(WithinGroups) ? HeadPruning.WithinGroups : HeadPruning.KeyValueGroups,
    };
}

/// <summary>A plan made by hand: what a person names stays.</summary>
internal sealed class KeepOptions
{
    private const string ByBlock = "0-5,7 for every block, or 3:0-5;4:0-2 for blocks 3 and 4 only";

    public Option<string?> Layers { get; } = Opt.Text("--keep-layers", "RANGES", "Blocks to keep, for example 0-7,10.");

    public Option<string?> Hidden { get; } = Opt.Text("--keep-hidden", "RANGES", "Residual channels to keep.");

    public Option<string?> QueryHeads { get; } = Opt.Text("--keep-query-heads", "UNITS", $"Query heads to keep: {ByBlock}.");

    public Option<string?> Intermediate { get; } = Opt.Text("--keep-intermediate", "UNITS", $"Feed-forward channels to keep: {ByBlock}.");

    public Option[] All => [Layers, Hidden, QueryHeads, Intermediate];

    public bool IsGiven(Invocation run) => All.Any(o => run.IsGiven(o));

    public KeptUnits Read(Invocation run) => new()
    {
        Layers = Parse(run, Layers, IndexSet.Parse),
        Hidden = Parse(run, Hidden, IndexSet.Parse),
        QueryHeads = Parse(run, QueryHeads, UnitSelection.Parse),
        Intermediate = Parse(run, Intermediate, UnitSelection.Parse),
    };

    private static T? Parse<T>(Invocation run, Option<string?> option, Func<string, T> parse)
        where T : class
    {
        try
        {
            return run.Get(option) is { } text ? parse(text) : null;
        }
        catch (PlanException e)
        {
            throw new UsageException($"{option.Name}: {e.Message}", e);
        }
    }
}
