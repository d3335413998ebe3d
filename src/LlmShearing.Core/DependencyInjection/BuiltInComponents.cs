// The built-in components and their names. A new scorer gets a line here and a member in BuiltInScorerOptions.
using LlmShearing.Planning;
using LlmShearing.Scoring;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

internal static class BuiltInComponents
{
    public static void Register(IServiceCollection services)
    {
        Scorer(services, ScorerNames.Magnitude, o => new BlockMagnitudeScorer(o.Magnitude));
        Scorer(services, ScorerNames.Taylor, o => new BlockTaylorScorer(o.Taylor));
        Scorer(services, ScorerNames.GateTaylor, o => new GateTaylorScorer(o.GateTaylor));
        Scorer(services, ScorerNames.BlockPerplexity, o => new BlockPerplexityScorer(o.BlockPerplexity));
        Scorer(services, ScorerNames.BlockInfluence, o => new BlockInfluenceScorer(o.BlockInfluence));
        Scorer(services, ScorerNames.Angular, o => new AngularDistanceScorer(o.Angular));
        Scorer(services, ScorerNames.Random, _ => new RandomScorer());
        services.TryAddKeyedSingleton<IPruningStrategy>(BlockDepthStrategy.Name, DepthRegistration.Create);
        services.TryAddKeyedSingleton<IPruningStrategy, TargetedWidthStrategy>(TargetedWidthStrategy.Name);
    }

    // TryAdd: a host that registered the name first keeps its own.
    private static void Scorer(IServiceCollection services, string name, Func<BuiltInScorerOptions, IImportanceScorer> create) =>
        services.TryAddKeyedSingleton(name, (provider, _) => create(Options(provider).Scorers));

    private static ShearingOptions Options(IServiceProvider provider) => provider.GetRequiredService<IOptions<ShearingOptions>>().Value;
}
