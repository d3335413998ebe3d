// A criterion of one's own: Block Influence, tilted so that blocks in the middle go more easily than those at the ends.
using System.ComponentModel.DataAnnotations;
using LlmShearing.Scoring;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmShearing.Samples;

internal sealed class CenterBiasOptions
{
    /// <summary>How much more the outermost blocks count than the middle one; 0 = plain Block Influence.</summary>
    [Range(0.0, 10.0)]
    public double Strength { get; set; } = 1;
}

// <snippet>
internal sealed class CenterBiasScorer(
    [FromKeyedServices(ScorerNames.BlockInfluence)] IImportanceScorer influence,
    IOptions<CenterBiasOptions> options) : IImportanceScorer
{
    public PruningAxes SupportedAxes => PruningAxes.Layers;

    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        ImportanceScores scores = influence.Score(request, progress, cancellationToken);
        double middle = (scores.Layers.Length - 1) / 2.0;
        return new ImportanceScores(scores.Source, "center-bias").With(
            PruningAxes.Layers,
            scores.Layers.Select((score, block) => score * (1 + (options.Value.Strength * Math.Abs(block - middle) / middle))));
    }
}
// </snippet>
