namespace LlmShearing.Scoring;

/// <summary>A block scorer that can score a model from which blocks have been removed already, without rebuilding it: what iterative depth pruning asks for.</summary>
public interface IPlanAwareScorer : IImportanceScorer
{
    /// <summary>Scores every block that is left. Larger means keep. Leaves the model as it found it; deterministic in the request's seed.</summary>
    /// <param name="request">The unpruned model, <see cref="PruningAxes.Layers"/>, calibration data and seed.</param>
    /// <param name="removedBlocks">0-based blocks of that model to leave out of the computation.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after each batch or layer.</param>
    /// <returns>Scores for the unpruned shape, in which removed blocks have positive infinity.</returns>
    /// <exception cref="ScoringException">A score is not a number.</exception>
    /// <exception cref="TokenDataException">Calibration data is missing or does not fit the model.</exception>
    ImportanceScores Score(ScoringRequest request, IndexSet removedBlocks, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default);
}
