namespace LlmShearing;

/// <summary>Says how much each unit of a model matters. Register your own with <c>AddScorer&lt;T&gt;("name")</c>.</summary>
public interface IImportanceScorer
{
    /// <summary>Axes that this scorer can score.</summary>
    PruningAxes SupportedAxes { get; }

    /// <summary>Scores the units. Larger means keep. Leaves the model as it found it; deterministic in the request's seed.</summary>
    /// <param name="request">Model, axes, calibration data and seed.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after each batch or layer.</param>
    /// <returns>Scores for every requested axis.</returns>
    /// <exception cref="ScoringException">An axis is not supported or a score is not finite.</exception>
    /// <exception cref="TokenDataException">Calibration data is needed and missing, or does not fit the model.</exception>
    ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default);
}

/// <summary>What to score, and on what data.</summary>
/// <param name="Model">The model: resident, or a folder streamed layer by layer.</param>
/// <param name="Axes">Axes wanted; a subset of the scorer's supported axes.</param>
/// <param name="Calibration">Calibration batches; may be empty for data-free scorers. Enumerated once.</param>
/// <param name="Seed">Root of all randomness; default 0.</param>
public sealed record ScoringRequest(ILlamaSource Model, PruningAxes Axes, IEnumerable<TokenBatch> Calibration, int Seed = 0);
