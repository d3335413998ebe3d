// Masks and weights as what a trainer trains: the pruning phase of LLM-Shearing.
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Shapes;
using LlmShearing.Support;
using LlmShearing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Learning;

/// <summary>
/// Learns which units to keep while the weights are trained (LLM-Shearing, arXiv 2310.06694, section 2.1). Each micro-batch draws masks, which multiply the units through
/// the gates of the model; the loss is cross entropy plus the Lagrangian of the constraint; masks descend, multipliers ascend. The model stays the caller's. Disposing makes the
/// weights stop requiring gradients and frees the masks. Used by one thread at a time.
/// </summary>
public sealed class MaskLearner : ITrainable, IDisposable
{
    private readonly FullModel? _weights;
    private readonly LlamaCheckpointWriterOptions _writer;
    private readonly Func<MicroBatchKey, IMaskNoise> _noise;
    private readonly ILogger _logger;
    private (MaskSample Sample, LlamaGates Gates)? _drawn;
    private LlamaGates? _evaluation;
    private bool _evaluating;
    private ConstraintValue? _last;

    /// <summary>Prepares a model and its masks.</summary>
    /// <param name="model">The model; must be resident. Convert it to its device and dtype first.</param>
    /// <param name="layout">Which masks there are; for the model's shape.</param>
    /// <param name="options">How they are learned; null = defaults.</param>
    /// <param name="writer">How <see cref="Export"/> writes; null = defaults.</param>
    /// <param name="noise">Uniform numbers of a micro-batch; null = derived from its key.</param>
    /// <param name="logger">Receives what is masked, sparsities at each evaluation, and the cut; null = nothing.</param>
    /// <exception cref="MaskException">A setting is out of range, or the layout is for another model.</exception>
    /// <exception cref="TrainingException">The model shares its weights with another.</exception>
    public MaskLearner(
        LlamaModel model,
        MaskLayout layout,
        MaskLearningOptions? options = null,
        LlamaCheckpointWriterOptions? writer = null,
        Func<MicroBatchKey, IMaskNoise>? noise = null,
        ILogger<MaskLearner>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        ArgumentNullException.ThrowIfNull(layout);
        Options = options ?? new MaskLearningOptions();
        Options.Check();
        if (!layout.Source.Equals(model.Config.Shape))
            throw new MaskException($"The masks are for a model of {layout.Source.Layers.Length} blocks and hidden size {layout.Source.HiddenSize}; this one has {model.Config.Shape.Layers.Length} and {model.Config.Shape.HiddenSize}, or differs inside its blocks. Make the layout from this model's shape.");
        (Model, _writer) = (model, writer ?? new LlamaCheckpointWriterOptions());
        _logger = logger ?? NullLogger<MaskLearner>.Instance;
        _noise = noise ?? (key => new SeededMaskNoise(key.Derive(NoiseStream)));
        Masks = new MaskState(new SparsityConstraint(layout, new SparsityRamp(Options.RampSteps, Options.StartSparsity), Options.TotalSparsity), Options.Initialization);
        try
        {
            foreach (TrainableParameter multiplier in Masks.Multipliers)
                if (multiplier.Name.EndsWith(".lambda2", StringComparison.Ordinal))
                    using (no_grad())
                        multiplier.Value.fill_(Options.InitialQuadratic);
            _weights = Options.TrainWeights ? new FullModel(model, writer) : null;
        }
        catch
        {
            Masks.Dispose();
            throw;
        }

        string wanted = layout.Target is { } target ? string.Create(CultureInfo.InvariantCulture, $"{target.ParameterCount} parameters") : string.Create(CultureInfo.InvariantCulture, $"a total sparsity of {Options.TotalSparsity}");
        MasksLog.Made(_logger, string.Join(", ", layout.Families.Select(f => f.Name)), layout.Families.Sum(f => f.Count), layout.Source.ParameterCount, wanted);
    }

    /// <inheritdoc/>
    public LlamaModel Model { get; }

    /// <summary>The settings.</summary>
    public MaskLearningOptions Options { get; }

    /// <summary>Logits and multipliers.</summary>
    public MaskState Masks { get; }

    // Tells the masks' numbers from those of other users of a micro-batch key: "masks" in ASCII.
    private const ulong NoiseStream = 0x6D61736B73;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ParameterGroup Group(string name, IReadOnlyList<TrainableParameter> parameters, double rate, bool maximize) => new()
        {
            Name = name,
            Parameters = parameters,
            LearningRate = rate,
            Beta1 = options.Beta1,
            Beta2 = options.Beta2,
            Epsilon = options.Epsilon,
            Maximize = maximize,
            Unclipped = !Options.ClipTogether,
        };
        return
        [
            .. _weights?.Groups(options) ?? [],
            Group("masks", Masks.Logits, Options.MaskLearningRate, maximize: false),
            Group("multipliers", Masks.Multipliers, Options.MultiplierLearningRate, maximize: true),
        ];
    }

    /// <inheritdoc/>
    public LlamaGates? BeginMicroBatch(MicroBatchKey key)
    {
        if (_evaluating)
            return _evaluation ??= Masks.Deterministic(Options.EvaluateTarget).ToGates(device: Model.Device, gateEmbedding: Options.GateEmbedding);
        MaskSample sample = Masks.Sample(_noise(key));
        LlamaGates gates = sample.Values.ToGates(requiresGrad: true, device: Model.Device, gateEmbedding: Options.GateEmbedding);
        _drawn = (sample, gates);
        return gates;
    }

    /// <inheritdoc/>
    public double EndMicroBatch(MicroBatchKey key, double scale)
    {
        (MaskSample sample, LlamaGates gates) = _drawn ?? throw new InvalidOperationException("No micro-batch was begun.");
        _drawn = null;
        using (gates)
        {
            _last = Masks.AddGradients(sample, gates.Gradients(), key.Step, scale);
            return _last.Loss;
        }
    }

    /// <inheritdoc/>
    public void AbandonMicroBatch()
    {
        _drawn?.Gates.Dispose();
        _drawn = null;
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Metrics()
    {
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        if (_last is not { } value)
            return metrics;
        foreach (FamilySparsity family in value.Families)
        {
            metrics[$"masks/{family.Family.Name}/sparsity"] = family.Expected;
            if (family.Target is { } target)
                metrics[$"masks/{family.Family.Name}/target"] = target;
        }

        metrics["masks/total/sparsity"] = value.ExpectedSparsity;
        metrics["masks/total/target"] = value.TargetSparsity;
        metrics["masks/total/parameters"] = value.ExpectedParameters;
        foreach (TrainableParameter multiplier in Masks.Multipliers)
            metrics[multiplier.Name.Replace('.', '/')] = HostValues.Number(multiplier.Value);
        return metrics;
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, IReadOnlyList<double>> Distributions()
    {
        var result = new SortedDictionary<string, IReadOnlyList<double>>(StringComparer.Ordinal);
        foreach ((PruningAxes axis, double[] scores) in Masks.Scores())
        {
            MaskFamily family = Masks.Layout[axis]!;
            int layers = family.Rows == 1 ? 1 : Masks.Layout.Source.Layers.Length, size = family.Count / layers;
            for (int layer = 0; layer < layers; layer++)
                result[layers == 1 ? $"masks/{family.Name}" : $"masks/{family.Name}/block-{layer:00}"] = scores[(layer * size)..((layer + 1) * size)];
        }

        return result;
    }

    /// <summary>How far the masks are from what they are to reach.</summary>
    /// <param name="step">Optimizer steps made.</param>
    /// <returns>Sparsity by family; the targets are those of the end of the ramp.</returns>
    public MaskConvergence Convergence(long step) => new(Masks.Evaluate(Math.Max(step, Options.RampSteps)), step);

    /// <inheritdoc/>
    public IDisposable BeginEvaluation()
    {
        if (_last is { } value && _logger.IsEnabled(LogLevel.Information))
            MasksLog.State(_logger, string.Join(", ", value.Families.Select(Sparsity)), value.ExpectedParameters);
        _evaluating = true;
        return new Undo(() =>
        {
            _evaluating = false;
            _evaluation?.Dispose();
            _evaluation = null;
        });
    }

    /// <inheritdoc/>
    public JsonObject Describe() => new()
    {
        ["trains"] = Options.TrainWeights ? "weights and masks" : "masks",
        ["shape"] = ShapeJson.ToNode(Model.Config.Shape),
        ["dtype"] = Model.Dtype.ToString(),
        ["target"] = Masks.Layout.Target is { } target ? ShapeJson.ToNode(target) : null,
        ["total_sparsity"] = Options.TotalSparsity,
        ["masks"] = new JsonArray([.. Masks.Layout.Families.Select(f => JsonValue.Create(f.Name))]),
        ["ramp_steps"] = Options.RampSteps,
        ["start_sparsity"] = Options.StartSparsity,
        ["mask_learning_rate"] = Options.MaskLearningRate,
        ["multiplier_learning_rate"] = Options.MultiplierLearningRate,
        ["initial_quadratic"] = Options.InitialQuadratic,
        ["initial_logit"] = Options.Initialization?.Mean,
        ["initial_scores"] = Options.Initialization?.Scores?.Scorer,
        ["gate_embedding"] = Options.GateEmbedding,
        ["clip_together"] = Options.ClipTogether,
        ["evaluate_target"] = Options.EvaluateTarget,
    };

    /// <summary>The model that the masks chose, with what is left of their values folded into its weights, unless <see cref="MaskLearningOptions.Harden"/>: exactly the target shape.</summary>
    /// <returns>A new model, owned by the caller.</returns>
    /// <exception cref="MaskException">A logit is NaN.</exception>
    public LlamaModel Cut()
    {
        LlamaModel cut = MaskFold.Apply(Model, Masks.Deterministic(), new MaskFoldOptions { GateEmbedding = Options.GateEmbedding, Harden = Options.Harden });
        MasksLog.Cut(_logger, Masks.Layout.Source.ParameterCount, cut.Config.Shape.ParameterCount);
        return cut;
    }

    /// <summary>Writes the model that the masks chose, folded and cut to the target shape, as a Hugging Face folder.</summary>
    /// <inheritdoc/>
    public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default)
    {
        using LlamaModel cut = Cut();
        cut.Save(folder, options: _writer with { Overwrite = overwrite }, cancellationToken: cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        AbandonMicroBatch();
        _evaluation?.Dispose();
        _weights?.Dispose();
        Masks.Dispose();
    }

    private static string Sparsity(FamilySparsity family) => string.Create(
        CultureInfo.InvariantCulture, $"{family.Family.Name} {family.Expected:0.000}{(family.Target is { } target ? string.Create(CultureInfo.InvariantCulture, $" of {target:0.000}") : "")}");
}
