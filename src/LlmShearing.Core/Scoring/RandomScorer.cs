using LlmShearing.Support;

namespace LlmShearing.Scoring;

/// <summary>
/// Uniformly random scores: the baseline that any criterion has to beat. Depends on the seed and the shape only; looks at neither weights nor text.
/// </summary>
/// <remarks>Keeps nothing between calls: any number of threads may use one instance, also on one model at once (see <see cref="LlamaModel"/>).</remarks>
public sealed class RandomScorer : IImportanceScorer
{
    /// <inheritdoc/>
    public PruningAxes SupportedAxes => PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers;

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.Random);
        LlamaShape shape = request.Model.Config.Shape;
        var scores = new ImportanceScores(shape, ScorerNames.Random);
        foreach (PruningAxes axis in Enum.GetValues<PruningAxes>().Where(a => int.PopCount((int)a) == 1 && request.Axes.HasFlag(a)))
        {
            int rows = ImportanceScores.IsPerLayer(axis) ? shape.Layers.Length : 1;
            scores = scores.With(axis, Enumerable.Range(0, rows).Select(row => Enumerable.Range(0, scores.RowLength(axis, row))
                .Select(unit => Uniform(RandomSeed.Derive(request.Seed, row, (int)axis, (ulong)unit)))));
        }

        return scores;
    }

    // The upper 53 bits as a number in [0, 1).
    private static double Uniform(ulong bits) => (bits >> 11) * (1.0 / (1UL << 53));
}
