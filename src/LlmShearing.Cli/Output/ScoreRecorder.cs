// Remembers the scores that a facade asked for, so that a report can show them beside the plan.
using LlmShearing.Scoring;

namespace LlmShearing.Cli.Output;

internal class ScoreRecorder(IImportanceScorer inner) : IImportanceScorer
{
    public PruningAxes SupportedAxes => inner.SupportedAxes;

    /// <summary>The first answer: of the whole model, also when blocks are removed one by one.</summary>
    public ImportanceScores? First { get; protected set; }

    /// <summary>Wraps a criterion; what it can do stays.</summary>
    public static ScoreRecorder Of(IImportanceScorer scorer) => scorer is IPlanAwareScorer aware ? new PlanAware(aware) : new ScoreRecorder(scorer);

    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ImportanceScores scores = inner.Score(request, progress, cancellationToken);
        First ??= scores;
        return scores;
    }

    private sealed class PlanAware(IPlanAwareScorer inner) : ScoreRecorder(inner), IPlanAwareScorer
    {
        private readonly IPlanAwareScorer _inner = inner;

        public ImportanceScores Score(ScoringRequest request, IndexSet removedBlocks, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            ImportanceScores scores = _inner.Score(request, removedBlocks, progress, cancellationToken);
            First ??= scores;
            return scores;
        }
    }
}
