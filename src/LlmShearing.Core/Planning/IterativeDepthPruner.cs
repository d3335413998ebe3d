// Greedy depth pruning: remove the least important block, score again, and so on.
using System.Collections.Immutable;
using LlmShearing.Scoring;
using LlmShearing.Shapes;
using LlmShearing.Support;

namespace LlmShearing.Planning;

/// <summary>
/// Removes blocks one at a time and scores the remaining model again after each removal. Costs as many scorings as blocks go, and often beats one-shot removal,
/// because the importance of a block depends on its neighbours. Ties go to the lower index. Protection counts blocks of the source model.
/// </summary>
public sealed class IterativeDepthPruner
{
    /// <summary>Name recorded in plans.</summary>
    public const string Name = "block-depth-iterative";

    private readonly BlockDepthOptions _options;

    /// <summary>Creates the pruner.</summary>
    /// <param name="options">Amount (count, ratio or target parameters) and protection. Copied.</param>
    /// <exception cref="PlanException">Windows or an explicit list are asked for, which leave nothing to score again.</exception>
    public IterativeDepthPruner(BlockDepthOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Contiguous || options.Blocks is not null)
            throw new PlanException($"Iterative removal chooses blocks one by one; {(options.Contiguous ? "Contiguous" : "Blocks")} leaves nothing to choose. Use {BlockDepthStrategy.Name} for it.");
        _options = options.Copy();
    }

    /// <summary>Plans with a scorer that can leave blocks out.</summary>
    /// <param name="scorer">The criterion, for example block-perplexity.</param>
    /// <param name="request">Unpruned model and calibration data, which is read into memory because it is used again for every removal.</param>
    /// <param name="progress">Receives blocks removed, and the scorer's own progress; may be null.</param>
    /// <param name="cancellationToken">Checked before each removal, and by the scorer.</param>
    /// <returns>The plan; its provenance has the order of removal.</returns>
    /// <exception cref="PlanException">More should go than may; the message says how many may.</exception>
    /// <exception cref="ScoringException">The scorer's answer does not fit the model.</exception>
    public PruningPlan CreatePlan(IPlanAwareScorer scorer, ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        ArgumentNullException.ThrowIfNull(request);
        ScoringRequest again = request with { Axes = PruningAxes.Layers, Calibration = [.. request.Calibration] };
        return Prune(request.Model.Config.Shape, plan => scorer.Score(again, plan.RemovedBlocks, progress, cancellationToken), ofSource: true, progress, cancellationToken);
    }

    /// <summary>Plans with any way of scoring a partly pruned model, for example by applying the plan and scoring the result.</summary>
    /// <param name="source">Shape of the unpruned model.</param>
    /// <param name="score">Given the plan so far, block scores of the model that it leaves: their shape is the plan's target.</param>
    /// <param name="progress">Receives blocks removed; may be null.</param>
    /// <param name="cancellationToken">Checked before each removal.</param>
    /// <returns>The composed plan; its provenance has the order of removal.</returns>
    /// <exception cref="PlanException">More should go than may; the message says how many may.</exception>
    /// <exception cref="ScoringException">The scores are for another shape.</exception>
    public PruningPlan CreatePlan(LlamaShape source, Func<PruningPlan, ImportanceScores> score, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(score);
        return Prune(source, score, ofSource: false, progress, cancellationToken);
    }

    private PruningPlan Prune(LlamaShape source, Func<PruningPlan, ImportanceScores> score, bool ofSource, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        var budget = new DepthBudget(_options, source);
        int? count = budget.Count();
        PruningPlan plan = PruningPlan.Identity(source);
        for (int gone = 0; !Done(gone); gone++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(new ShearingProgress("Removing blocks", gone, count ?? 0, "blocks"));
            LlamaShape current = plan.Target;
            ImportanceScores scores = score(plan);
            if (ShapeRules.Difference(expected: ofSource ? source : current, found: scores.Source) is string difference)
                throw new ScoringException($"The scores of '{scores.Scorer}' after {gone} removals are for another shape: {difference}.");
            int position = LeastImportant(plan, budget, ofSource, scores.Layers);
            PruningPlan step = PruningPlan.RemoveBlocks(current, [position]);
            plan = plan.Then(step with { Provenance = step.Provenance! with { Scorer = scores.Scorer } });
        }

        progress?.Report(new ShearingProgress("Removing blocks", plan.RemovedBlocks.Count, plan.RemovedBlocks.Count, "blocks"));
        PlanProvenance provenance = plan.Provenance ?? new PlanProvenance { RemovedBlocks = [] };
        return plan with { Provenance = provenance with { Strategy = Name, Library = LibraryVersion.Text } };

        bool Done(int gone)
        {
            if (count is int n)
                return gone == n;
            long target = _options.TargetParameters!.Value;
            IEnumerable<int> removed = plan.RemovedBlocks.Indices;
            if (budget.Meets(target, removed))
                return true;
            return gone == budget.MayGo ? throw budget.TooSmall(target, budget.ParametersWithout(removed)) : false;
        }
    }

    // Position in the current model. A removed block has no position, so that its score cannot matter.
    private static int LeastImportant(PruningPlan plan, DepthBudget budget, bool ofSource, ImmutableArray<double> scores)
    {
        int best = -1;
        double lowest = 0;
        for (int position = 0; position < plan.Layers.Length; position++)
        {
            int block = plan.Layers[position].SourceIndex;
            double score = scores[ofSource ? block : position];
            if (!budget.IsProtected(block) && (best < 0 || score < lowest))
                (best, lowest) = (position, score);
        }

        return best;
    }
}
