// What a host asks for a plan: the components and amounts come from its configuration.
using LlmShearing.Devices;
using LlmShearing.Planning;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

/// <summary>Makes plans as <see cref="ShearingOptions"/> say. Registered by <c>AddLlmShearing</c>; options that are wrong are refused when it is made.</summary>
/// <param name="pruner">The facade.</param>
/// <param name="scorers">Criteria by name.</param>
/// <param name="strategies">Strategies by name.</param>
/// <param name="options">Which of them, and how much.</param>
public sealed class ShearingPlanner(
    LlamaPruner pruner,
    IComponentCatalog<IImportanceScorer> scorers,
    IComponentCatalog<IPruningStrategy> strategies,
    IOptions<ShearingOptions> options)
{
    // Read here, so that wrong options are refused when the planner is made, host or no host.
    private readonly ShearingOptions _options = options.Value;

    /// <summary>Loads a model to the configured device, in float32.</summary>
    /// <param name="folder">Hugging Face folder.</param>
    /// <param name="progress">Receives bytes read; may be null.</param>
    /// <param name="cancellationToken">Checked about every 4 MiB.</param>
    /// <returns>A model owned by the caller.</returns>
    /// <exception cref="DeviceException">The configured device is not there.</exception>
    /// <exception cref="CheckpointException">The folder is not a complete LLaMA.</exception>
    public LlamaModel Load(string folder, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        LlamaModel.Load(folder, device: ComputeDevice.Resolve(_options.Device), progress: progress, cancellationToken: cancellationToken);

    /// <summary>Scores the model and plans with the configured components.</summary>
    /// <param name="model">The model.</param>
    /// <param name="calibration">Calibration batches; null or empty for criteria that need none. Enumerated once.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after each batch or layer.</param>
    /// <returns>A valid plan.</returns>
    /// <exception cref="UnknownComponentException">A configured name is not registered.</exception>
    /// <exception cref="PlanException">The amounts do not fit the model.</exception>
    /// <exception cref="ScoringException">The criterion cannot score what the strategy needs.</exception>
    public PruningPlan CreatePlan(
        ILlamaSource model,
        IEnumerable<TokenBatch>? calibration = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ShearingOptions o = _options;
        IImportanceScorer scorer = scorers.Resolve(o.Scorer);
        IPruningStrategy strategy = strategies.Resolve(o.Strategy);
        // Depth has amounts that are no shapes (a share, a parameter count); a host's own strategy of that name aims at a shape like any other.
        return strategy is BlockDepthStrategy
            ? pruner.CreatePlan(model, scorer, o.Depth, calibration, o.Iterative, o.Seed, progress, cancellationToken)
            : pruner.CreatePlan(model, scorer, strategy, TargetShape.Of(model.Config.Shape, o.Target), calibration, o.Seed, progress, cancellationToken);
    }
}
