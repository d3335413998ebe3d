// All weights of a model as what is trained: continued pretraining and full fine-tuning.
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Shapes;
using LlmShearing.Support;
using LlmShearing.Training.Optimization;

namespace LlmShearing.Training.Steps;

/// <summary>Trains every weight of a model. Disposing it makes the weights stop requiring gradients; the model stays the caller's.</summary>
/// <remarks>For one training step at a time.</remarks>
public sealed class FullModel : ITrainable, IDisposable
{
    private readonly LlamaCheckpointWriterOptions _writer;

    /// <summary>Makes all weights of the model require gradients.</summary>
    /// <param name="model">The model; must be resident. Convert it to its device and dtype first.</param>
    /// <param name="writer">How <see cref="Export"/> writes, for example from which folder the tokenizer is carried over; null = defaults.</param>
    /// <exception cref="TrainingException">The model shares its weights with another.</exception>
    public FullModel(LlamaModel model, LlamaCheckpointWriterOptions? writer = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        if (model.SharesWeights)
            throw new TrainingException("This model shares its weights with another, which training would change too. Cut the model with ModelSurgery, or train adapters.");
        (Model, _writer) = (model, writer ?? new LlamaCheckpointWriterOptions());
        foreach ((_, var weight) in model.NamedWeights())
            weight.requires_grad = true;
    }

    /// <inheritdoc/>
    public LlamaModel Model { get; }

    /// <inheritdoc/>
    public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options) =>
        ParameterGroup.Split(Model.NamedWeights().Select(w => new TrainableParameter(w.Name, w.Weight)), options);

    /// <inheritdoc/>
    public IDisposable BeginEvaluation() => new Undo(() => { });

    /// <inheritdoc/>
    public JsonObject Describe() => new()
    {
        ["trains"] = "all weights",
        ["shape"] = ShapeJson.ToNode(Model.Config.Shape),
        ["dtype"] = Model.Dtype.ToString(),
    };

    /// <inheritdoc/>
    public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default) =>
        Model.Save(folder, options: _writer with { Overwrite = overwrite }, cancellationToken: cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Model.IsDisposed)
            return;
        foreach ((_, var weight) in Model.NamedWeights())
            weight.requires_grad = false;
    }
}
