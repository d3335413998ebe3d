// One optimizer step's worth of gradients: all micro-batches forward and backward, weighted so that their sum is the gradient of one loss.
using LlmShearing.Model;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Steps;

/// <summary>
/// Computes losses and gradients of the parameters of a trainable. Gradients are added to <c>.grad</c> of every parameter that requires them, in float32 also
/// for 16-bit weights; clear them before (<see cref="AdamWOptimizer.ZeroGradients"/>). Used by one thread at a time.
/// </summary>
public sealed class TrainingStep
{
    private readonly ITrainable _trainable;
    private readonly TrainingStepOptions _options;
    private readonly ITrainingObjective _objective;
    private readonly IReadOnlyList<Parameter> _parameters;

    /// <summary>Prepares steps.</summary>
    /// <param name="trainable">What is trained. What requires gradients is asked again in each step.</param>
    /// <param name="options">How a step is computed.</param>
    /// <param name="objective">What is minimised; null = cross entropy.</param>
    /// <exception cref="TrainingException">An option is out of range, nothing requires gradients, or the model is float16, in which small gradients vanish.</exception>
    public TrainingStep(ITrainable trainable, TrainingStepOptions options, ITrainingObjective? objective = null)
    {
        ArgumentNullException.ThrowIfNull(trainable);
        ArgumentNullException.ThrowIfNull(options);
        trainable.Model.EnsureAlive();
        if (options.LogitBytes < 1)
            throw new TrainingException($"{nameof(TrainingStepOptions.LogitBytes)} is {options.LogitBytes}, but must be at least 1.");
        if (!Enum.IsDefined(options.Normalization))
            throw new TrainingException($"{nameof(TrainingStepOptions.Normalization)} is {options.Normalization}. Known: {string.Join(", ", Enum.GetNames<LossNormalization>())}.");
        if (trainable.Model.Dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
            throw new TrainingException($"The model is {trainable.Model.Dtype}; small gradients vanish in it. Load the model as BFloat16 or Float32, also to train adapters on it.");
        (_trainable, _options, _objective) = (trainable, options, objective ?? new CrossEntropy.Objective());
        _parameters = [.. trainable.Groups(new OptimizerSettings()).SelectMany(g => g.Parameters).Concat(_objective.Parameters).Select(p => p.Value)];
        if (_parameters.Count == 0)
            throw new TrainingException("The trainable names no parameter to train.");
        if (_parameters.FirstOrDefault(p => !p.requires_grad) is not null)
            throw new TrainingException("A parameter of the trainable does not require gradients. Create the trainable after converting the model, and do not dispose it before training ends.");
    }

    /// <summary>Adds the gradients of one optimizer step and returns its losses.</summary>
    /// <param name="microBatches">The micro-batches; those without a scored token are left out.</param>
    /// <param name="step">0-based optimizer step; randomness of the trainable derives from it.</param>
    /// <param name="seed">Root seed of the run.</param>
    /// <param name="cancellationToken">Checked before every block and slice of logits.</param>
    /// <returns>Losses before the update. They are not checked for being finite.</returns>
    /// <exception cref="TrainingException">No token of the step is scored, or a gate that requires gradients is not a leaf.</exception>
    /// <exception cref="TokenDataException">An id or label is outside the vocabulary.</exception>
    /// <exception cref="InvalidOperationException">Another thread computes gradients of the model.</exception>
    /// <remarks>After any exception, a cancellation included, the gradients of all parameters are dropped.</remarks>
    public StepLosses Compute(IReadOnlyList<TrainingBatch> microBatches, long step, int seed, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        using IDisposable use = _trainable.Model.UseForGradients();
        StepWeights weights = StepWeights.Of(microBatches, _options.Normalization, _trainable.Model.Config.Shape.VocabSize);
        try
        {
            double loss = 0, additional = 0;
            var sums = new SortedDictionary<string, double>(StringComparer.Ordinal);
            for (int i = 0; i < microBatches.Count; i++)
            {
                if (weights.Scored[i].Targets.Length == 0)
                    continue;
                var micro = new LossSums();
                additional += weights.Share(i) * One(microBatches[i], weights.Scored[i], weights.TokenScale(i), weights.Share(i), new MicroBatchKey(step, i, seed), micro, cancellationToken);
                loss += weights.TokenScale(i) * (micro.Values.TryGetValue("loss", out double whole) ? whole
                    : throw new TrainingException("The objective reported no sum named \"loss\". Add the whole loss of every slice under that name."));
                foreach ((string name, double sum) in micro.Values)
                    sums[name] = sums.GetValueOrDefault(name) + sum;
            }

            sums.Remove("loss");
            var parts = sums.ToDictionary(p => p.Key, p => p.Value / weights.ScoredTokens, StringComparer.Ordinal);
            if (additional != 0)
                parts["additional"] = additional;
            return new StepLosses(loss + additional, parts, weights.ScoredTokens, microBatches.Sum(b => (long)b.Tokens.Ids.Length));
        }
        catch
        {
            Gradients.Clear(_parameters);
            throw;
        }
    }

    // Returns the trainable's additional loss.
    private double One(TrainingBatch batch, (long[] Positions, long[] Targets) scored, double scale, double share, MicroBatchKey key, LossSums losses, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var grad = enable_grad();
        LlamaModel model = _trainable.Model;
        Tensor ids = TokenIds.ToTensor(batch.Tokens, model);                                             // [B, T]
        LlamaGates? gates = _trainable.BeginMicroBatch(key);
        try
        {
            if (gates?.Tensors().Any(g => g.requires_grad && !g.is_leaf) == true)
                throw new TrainingException("A gate that requires gradients was computed from other tensors. Give its detached copy, and pass its gradient on in EndMicroBatch.");
            Tensor positions = tensor(scored.Positions, device: model.Device), targets = tensor(scored.Targets, device: model.Device);   // [N]
            using IMicroBatchObjective objective = _objective.Begin(batch, ids, positions);
            new MicroBatchPass(model, batch, ids, gates, _options, cancellationToken).Run(positions, targets, objective, scale, losses);
        }
        catch
        {
            _trainable.AbandonMicroBatch();
            throw;
        }

        Gradients.Widen(_parameters);
        return _trainable.EndMicroBatch(key, share);
    }
}
