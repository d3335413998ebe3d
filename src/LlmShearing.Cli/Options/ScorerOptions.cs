// Which criterion, and its options. Building the criterion is the container's work (Composition).
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.DependencyInjection;
using LlmShearing.Scoring;
using Microsoft.Extensions.DependencyInjection;

namespace LlmShearing.Cli.Options;

internal sealed class ScorerOptions
{
    private static readonly string[] Reductions = ["sum", "mean", "max", "prod"];

    public Option<string?> Name { get; } = Opt.Named("--scorer", "NAME", $"Criterion: {string.Join(", ", Composition.Names)}.", Composition.Names);

    public Option<double?> NormPower { get; } = Opt.Number("--norm-power", "P", "magnitude, taylor: power in |x|^P. [default: 1]", v => v is >= 0.01 and <= 16, "a number from 0.01 to 16");

    public Option<string?> WeightReduction { get; } = Opt.Choice("--weight-reduction", "magnitude, taylor: from the rows of a weight to one number. [default: sum]", Reductions);

    public Option<string?> BlockReduction { get; } = Opt.Choice("--block-reduction", "magnitude, taylor: from the weights of a block to one number. [default: sum]", Reductions);

    public Option<string?> GroupReduction { get; } = Opt.Choice("--group-reduction", "magnitude: from the matrices that a head or channel is cut from to one number. [default: sum]", "sum", "max");

    public Option<bool> SumOverTokens { get; } = Opt.Flag("--sum-over-tokens", "block-influence: the sum over tokens instead of the mean.");

    public Option<string?> AngularStates { get; } = Opt.Choice("--angular-states", "angular: compare the states around every window, or as PruneMe does. [default: every-window]", "every-window", "prune-me");

    public Option<bool> AbsolutePerBatch { get; } = Opt.Flag("--absolute-per-batch", "gate-taylor: absolute values before batches are summed.");

    public Option[] All => [Name, NormPower, WeightReduction, BlockReduction, GroupReduction, SumOverTokens, AngularStates, AbsolutePerBatch];

    /// <summary>The criterion that was asked for, with its options; owned by the process.</summary>
    public IImportanceScorer Create(Invocation run)
    {
        string name = run.Get(Name) ?? throw new UsageException($"No criterion is given. Give --scorer with one of: {string.Join(", ", Composition.Names)}.");
        ServiceProvider services = Composition.Build(options => Configure(options.Scorers, run));
        return services.GetRequiredService<IComponentCatalog<IImportanceScorer>>().Resolve(name);
    }

    private void Configure(BuiltInScorerOptions scorers, Invocation run)
    {
        double power = run.Get(NormPower) ?? 1;
        (ScoreReduction weight, ScoreReduction block) = (Reduction(run.Get(WeightReduction)), Reduction(run.Get(BlockReduction)));
        scorers.Magnitude = new BlockMagnitudeOptions { NormPower = power, WeightReduction = weight, BlockReduction = block, GroupReduction = Reduction(run.Get(GroupReduction)) };
        scorers.Taylor = new BlockTaylorOptions { NormPower = power, WeightReduction = weight, BlockReduction = block };
        scorers.BlockInfluence.SumOverTokens = run.Get(SumOverTokens);
        scorers.Angular.States = run.Get(AngularStates) == "prune-me" ? Scoring.AngularStates.PruneMe : Scoring.AngularStates.EveryWindow;
        scorers.GateTaylor.AbsolutePerBatch = run.Get(AbsolutePerBatch);
    }

    private static ScoreReduction Reduction(string? name) => name switch
    {
        "mean" => ScoreReduction.Mean,
        "max" => ScoreReduction.Max,
        "prod" => ScoreReduction.Product,
        _ => ScoreReduction.Sum,
    };
}
