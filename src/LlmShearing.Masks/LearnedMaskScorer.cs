// Learned masks as ordinary importance scores, so that strategies, plans and other tools need not know where they come from.
using LlmShearing.Planning;
using LlmShearing.Scoring;
using LlmShearing.Shapes;

namespace LlmShearing.Masks;

/// <summary>
/// The probability of each unit to stay that mask learning has arrived at, P(z > 0). With <see cref="TargetedWidthStrategy"/> these scores give the units that the masks keep, for the shape
/// that was learned and for shapes near it.
/// </summary>
public sealed class LearnedMaskScorer : IImportanceScorer
{
    /// <summary>Name under which the scorer is registered and recorded in plans.</summary>
    public const string Name = "learned-mask";

    private readonly Lazy<ImportanceScores> _scores;

    /// <summary>Gives out scores.</summary>
    /// <param name="scores">Scores from <see cref="ScoresOf"/>.</param>
    public LearnedMaskScorer(ImportanceScores scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        _scores = new(scores);
    }

    /// <summary>Gives out the scores of a file, which is read when they are first asked for.</summary>
    /// <param name="path">File written by <see cref="ImportanceScoresJson"/>.</param>
    public LearnedMaskScorer(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _scores = new(() => ImportanceScoresJson.Load(path), LazyThreadSafetyMode.PublicationOnly);   // a missing file may be there the next time
    }

    /// <summary>Axes that had masks.</summary>
    /// <exception cref="ScoringException">The file cannot be read.</exception>
    public PruningAxes SupportedAxes => _scores.Value.Axes;

    /// <summary>The scores of a run's masks: of every entry P(z > 0), in double precision, so that the order of the logits is kept.</summary>
    /// <param name="masks">The masks.</param>
    /// <returns>Scores for every axis that has masks. Query heads within groups become one row a layer.</returns>
    /// <exception cref="MaskException">A logit is NaN.</exception>
    public static ImportanceScores ScoresOf(MaskState masks)
    {
        ArgumentNullException.ThrowIfNull(masks);
        LlamaShape shape = masks.Layout.Source;
        return masks.Scores().Aggregate(new ImportanceScores(shape, Name), (scores, axis) => scores.With(axis.Key, Rows(axis.Key, axis.Value, shape.Layers.Length)));
    }

    /// <summary>The learned scores of the axes wanted. Neither runs the model nor looks at calibration data.</summary>
    /// <param name="request">The model that the masks were learned on.</param>
    /// <param name="progress">Not used.</param>
    /// <param name="cancellationToken">Not used: nothing takes long.</param>
    /// <returns>All learned scores; more axes than wanted do no harm.</returns>
    /// <exception cref="ScoringException">An axis has no mask, the model has another shape, or the file cannot be read.</exception>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, Name);
        ImportanceScores scores = _scores.Value;
        return ShapeRules.Difference(expected: scores.Source, found: request.Model.Config.Shape) is string difference
            ? throw new ScoringException($"The masks were learned on another model: {difference}. Use the model they were learned on.")
            : scores;
    }

    private static IEnumerable<IEnumerable<double>> Rows(PruningAxes axis, double[] flat, int layers) =>
        ImportanceScores.IsPerLayer(axis) ? flat.Chunk(flat.Length / layers) : [flat];
}
