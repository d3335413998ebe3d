// The second half of the facade: measure a plan before cutting, then cut.
using LlmShearing.Evaluation;
using LlmShearing.Surgery;
using LlmShearing.Telemetry;

namespace LlmShearing;

public sealed partial class LlamaPruner
{
    /// <summary>Perplexity of a model as a plan would leave it, measured through gates: nothing is cut.</summary>
    /// <param name="model">The model, resident or streamed; not changed.</param>
    /// <param name="plan">A plan for the model; null = the model as it is.</param>
    /// <param name="rows">Token ids by row.</param>
    /// <param name="protocol">How rows become windows; null = <see cref="PerplexityProtocol.Documents"/>.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after every batch in every block.</param>
    /// <returns>Perplexity, counts, window losses and the protocol.</returns>
    /// <exception cref="PlanException">The plan is not valid or is for another model.</exception>
    /// <exception cref="TokenDataException">There is nothing to score, or an id is outside the vocabulary.</exception>
    public PerplexityResult Evaluate(
        ILlamaSource model,
        PruningPlan? plan,
        IReadOnlyList<int[]> rows,
        PerplexityProtocol? protocol = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        LlamaModel.EnsureAlive(model);
        plan?.EnsureFor(model.Config.Shape);
        using LlamaGates? gates = plan is null || plan.IsIdentity ? null : LlamaGates.FromPlan(plan, model.Device);
        long start = _time.GetTimestamp();
        PerplexityResult result = new PerplexityEvaluator(logger: _logger).Evaluate(model, rows, protocol, gates, progress, cancellationToken);
        long parameters = (plan?.Target ?? model.Config.Shape).ParameterCount;
        CoreLog.Evaluated(_logger, result.Perplexity, result.Tokens, parameters, _time.GetElapsedTime(start).TotalSeconds);
        return result;
    }

    /// <summary>Cuts a resident model to a plan.</summary>
    /// <param name="model">The source model; unchanged.</param>
    /// <param name="plan">A plan for the model.</param>
    /// <param name="progress">Receives one report per block; may be null.</param>
    /// <param name="cancellationToken">Checked before every block.</param>
    /// <returns>A new model of the plan's target shape, owned by the caller.</returns>
    /// <exception cref="PlanException">The plan is not valid or is for another model.</exception>
    public LlamaModel Apply(LlamaModel model, PruningPlan plan, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        long start = _time.GetTimestamp();
        LlamaModel result = ModelSurgery.Apply(model, plan, progress, cancellationToken);
        CoreLog.Cut(_logger, model.Config.Shape.ParameterCount, result.Config.Shape.ParameterCount, _time.GetElapsedTime(start).TotalSeconds);
        return result;
    }
}
