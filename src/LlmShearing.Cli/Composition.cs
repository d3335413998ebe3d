// The container that the command line works from: the same registrations that a host uses.
namespace LlmShearing.Cli;

internal static class Composition
{
    /// <summary>Names of the criteria.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [ScorerNames.Magnitude, ScorerNames.Taylor, ScorerNames.BlockPerplexity, ScorerNames.BlockInfluence, ScorerNames.Angular, ScorerNames.GateTaylor];

    public static IImportanceScorer Scorer(string name, ScorerChoices choices) => name switch
    {
        ScorerNames.Magnitude => new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = choices.NormPower, WeightReduction = choices.WeightReduction, BlockReduction = choices.BlockReduction }),
        ScorerNames.Taylor => new BlockTaylorScorer(new BlockTaylorOptions { NormPower = choices.NormPower, WeightReduction = choices.WeightReduction, BlockReduction = choices.BlockReduction }),
        ScorerNames.BlockPerplexity => new BlockPerplexityScorer(),
        ScorerNames.BlockInfluence => new BlockInfluenceScorer(new BlockInfluenceOptions { SumOverTokens = choices.SumOverTokens }),
        ScorerNames.Angular => new AngularDistanceScorer(new AngularDistanceOptions { States = choices.States }),
        ScorerNames.GateTaylor => new GateTaylorScorer(new GateTaylorOptions { AbsolutePerBatch = choices.AbsolutePerBatch }),
        _ => throw new UsageException($"No criterion is called '{name}'. There are: {string.Join(", ", Names)}."),
    };
}
