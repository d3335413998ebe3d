using System.Text.Json.Nodes;
using LlmShearing.Shapes;
using LlmShearing.Support;
using LlmShearing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;

namespace LlmShearing.Lora;

/// <summary>Adapters as what a trainer trains. Dropout is active within a micro-batch only; masks derive from its key. The attachment stays the caller's.</summary>
/// <param name="attachment">Adapters on the model that is run.</param>
/// <remarks>For one training step at a time.</remarks>
public sealed class LoraTrainable(LoraAttachment attachment) : ITrainable
{
    private readonly LoraAttachment _attachment = attachment ?? throw new ArgumentNullException(nameof(attachment));

    /// <inheritdoc/>
    public LlamaModel Model => _attachment.Model;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options) =>
        _attachment.IsMerged
            ? throw new TrainingException("These adapters were merged into the model and cannot be trained any more. Attach new ones.")
            : ParameterGroup.Split(_attachment.Parameters, options);

    /// <inheritdoc/>
    public LlamaGates? BeginMicroBatch(MicroBatchKey key)
    {
        // Batches of an evaluation are begun too, but never ended.
        if (!_attachment.Dropout.IsSuspended)
            _attachment.Dropout.Begin(key);
        return null;
    }

    /// <inheritdoc/>
    public double EndMicroBatch(MicroBatchKey key, double scale)
    {
        _attachment.Dropout.End();
        return 0;
    }

    /// <inheritdoc/>
    public void AbandonMicroBatch() => _attachment.Dropout.End();

    /// <inheritdoc/>
    public IDisposable BeginEvaluation()
    {
        _attachment.Dropout.IsSuspended = true;
        return new Undo(() => _attachment.Dropout.IsSuspended = false);
    }

    /// <inheritdoc/>
    public JsonObject Describe() => new()
    {
        ["trains"] = "lora",
        ["shape"] = ShapeJson.ToNode(Model.Config.Shape),
        ["dtype"] = Model.Dtype.ToString(),
        ["dropout"] = _attachment.Options.Dropout,
        ["modules"] = new JsonObject(_attachment.Layout.Targets.Select(t => KeyValuePair.Create<string, JsonNode?>(t.Module, new JsonObject { ["r"] = t.Rank, ["alpha"] = t.Alpha, ["scale"] = t.Scale }))),
        ["saved"] = new JsonArray([.. _attachment.Layout.Saved.Select(t => JsonValue.Create(t.Name))]),
    };

    /// <inheritdoc/>
    public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default) => _attachment.Save(folder, overwrite, cancellationToken);
}
