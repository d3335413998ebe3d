// The facade: score, plan, apply and evaluate in one place, with or without a container.
using LlmShearing.Planning;
using LlmShearing.Scoring;
using LlmShearing.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmShearing;

/// <summary>Makes and uses pruning plans. Holds no state between calls; safe to share.</summary>
public sealed partial class LlamaPruner
{
    private readonly ILogger _logger;
    private readonly TimeProvider _time;

    /// <summary>Creates the facade.</summary>
    /// <param name="logger">Receives what is planned and how long it took; null = nothing.</param>
    /// <param name="timeProvider">Clock for durations; null = the system's.</param>
    public LlamaPruner(ILogger<LlamaPruner>? logger = null, TimeProvider? timeProvider = null) =>
        (_logger, _time) = (logger ?? (ILogger)NullLogger.Instance, timeProvider ?? TimeProvider.System);

    /// <summary>Scores a model and plans the way to a target shape.</summary>
    /// <param name="model">The model.</param>
    /// <param name="scorer">Criterion; must support the axes that the strategy needs for this target.</param>
    /// <param name="strategy">Chooses the units.</param>
    /// <param name="target">Shape wanted.</param>
    /// <param name="calibration">Calibration batches; null or empty for criteria that need none. Enumerated once.</param>
    /// <param name="seed">Root of all randomness; default 0.</param>
    /// <param name="progress">Receives the scorer's progress; may be null.</param>
    /// <param name="cancellationToken">Checked after each batch or layer.</param>
    /// <returns>A valid plan; its provenance has criterion, strategy and a hash of the calibration data that was read.</returns>
    /// <exception cref="PlanException">The target cannot be reached.</exception>
    /// <exception cref="ScoringException">The criterion does not support an axis that is needed, or cannot score.</exception>
    public PruningPlan CreatePlan(
        ILlamaSource model,
        IImportanceScorer scorer,
        IPruningStrategy strategy,
        LlamaShape target,
        IEnumerable<TokenBatch>? calibration = null,
        int seed = 0,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        LlamaModel.EnsureAlive(model);
        ArgumentNullException.ThrowIfNull(scorer);
        ArgumentNullException.ThrowIfNull(strategy);
        ArgumentNullException.ThrowIfNull(target);
        PruningAxes axes = Supported(scorer, strategy.RequiredAxesFor(model.Config.Shape, target));
        ImportanceScores Score(IEnumerable<TokenBatch> batches) => axes == PruningAxes.None
            ? new ImportanceScores(model.Config.Shape, "none")
            : scorer.Score(new ScoringRequest(model, axes, batches, seed), progress, cancellationToken);
        return Plan(model, calibration, batches => strategy.CreatePlan(target, Score(batches)));
    }

    /// <summary>Scores the blocks of a model and plans the removal of some.</summary>
    /// <param name="model">The model.</param>
    /// <param name="scorer">Criterion that supports <see cref="PruningAxes.Layers"/>; for iterative removal an <see cref="IPlanAwareScorer"/>.</param>
    /// <param name="depth">How many blocks go, and which may.</param>
    /// <param name="calibration">Calibration batches; null or empty for criteria that need none. Enumerated once.</param>
    /// <param name="iterative">Score again after each removal. Default false.</param>
    /// <param name="seed">Root of all randomness; default 0.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after each batch or layer.</param>
    /// <returns>A valid plan; its provenance has the order of removal.</returns>
    /// <exception cref="PlanException">The options contradict each other, or more blocks should go than may.</exception>
    /// <exception cref="ScoringException">The criterion cannot score blocks, or not iteratively.</exception>
    public PruningPlan CreatePlan(
        ILlamaSource model,
        IImportanceScorer scorer,
        BlockDepthOptions depth,
        IEnumerable<TokenBatch>? calibration = null,
        bool iterative = false,
        int seed = 0,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        LlamaModel.EnsureAlive(model);
        ArgumentNullException.ThrowIfNull(scorer);
        ArgumentNullException.ThrowIfNull(depth);
        // A request that cannot be met is refused before an hour of scoring.
        _ = new DepthBudget(depth, model.Config.Shape).Count();
        PruningAxes axes = Supported(scorer, PruningAxes.Layers);
        ScoringRequest Request(IEnumerable<TokenBatch> batches) => new(model, axes, batches, seed);
        if (!iterative)
            return Plan(model, calibration, batches => new BlockDepthStrategy(depth).CreatePlan(scorer.Score(Request(batches), progress, cancellationToken)));
        var pruner = new IterativeDepthPruner(depth);
        return scorer is IPlanAwareScorer aware
            ? Plan(model, calibration, batches => pruner.CreatePlan(aware, Request(batches), progress, cancellationToken))
            : throw new ScoringException($"{scorer.GetType().Name} cannot score a model with blocks left out, which iterative removal needs. Use a criterion that can, such as block-perplexity, or remove in one shot.");
    }

    private static PruningAxes Supported(IImportanceScorer scorer, PruningAxes needed)
    {
        PruningAxes supported = scorer.SupportedAxes;
        // The score of a group is, failing its own, the sum of its query heads' scores.
        if (needed.HasFlag(PruningAxes.KeyValueGroups) && !supported.HasFlag(PruningAxes.KeyValueGroups) && supported.HasFlag(PruningAxes.QueryHeads))
            needed = (needed & ~PruningAxes.KeyValueGroups) | PruningAxes.QueryHeads;
        PruningAxes missing = needed & ~supported;
        return missing == PruningAxes.None
            ? needed
            : throw new ScoringException($"{scorer.GetType().Name} does not score {missing}, which this target needs; it scores {supported}. Use another criterion, or keep that size.");
    }

    private PruningPlan Plan(ILlamaSource model, IEnumerable<TokenBatch>? calibration, Func<IEnumerable<TokenBatch>, PruningPlan> make)
    {
        long start = _time.GetTimestamp();
        using var hash = new CalibrationHash();
        PruningPlan plan = make(hash.Through(calibration ?? []));
        plan.EnsureFor(model.Config.Shape);
        plan = plan with { Provenance = (plan.Provenance ?? new PlanProvenance()) with { CalibrationHash = hash.Value, Model = model.Name } };
        LlamaShape target = plan.Target;
        CoreLog.PlanCreated(_logger, plan.Provenance.Strategy ?? "?", plan.Provenance.Scorer ?? "?", model.Config.Shape.ParameterCount, target.ParameterCount, target.Layers.Length, _time.GetElapsedTime(start).TotalSeconds);
        return plan;
    }
}
