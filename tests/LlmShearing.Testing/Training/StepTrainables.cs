using Xunit;
using System.Text.Json.Nodes;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Testing.Training;

/// <summary>A model under gates that it does not own; records the calls of a step.</summary>
internal sealed class GatedModel : ITrainable, IDisposable
{
    private readonly LlamaGates _gates;
    private readonly bool _trainsWeights;

    public GatedModel(LlamaModel model, LlamaGates gates, bool trainsWeights = true)
    {
        (Model, _gates, _trainsWeights) = (model, gates, trainsWeights);
        SetGradients(trainsWeights);
    }

    public LlamaModel Model { get; }

    public List<MicroBatchKey> Begun { get; } = [];

    public int Abandoned { get; private set; }

    public Func<MicroBatchKey, double> Additional { get; init; } = _ => 0;

    public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options) => _trainsWeights
        ? ParameterGroup.Split(Model.NamedWeights().Select(w => new TrainableParameter(w.Name, w.Weight)), options)
        : ParameterGroup.Split([new TrainableParameter("gates", new Parameter(zeros(1)))], options);

    public LlamaGates? BeginMicroBatch(MicroBatchKey key)
    {
        Begun.Add(key);
        return _gates;
    }

    public double EndMicroBatch(MicroBatchKey key, double scale) => Additional(key);

    public void AbandonMicroBatch() => Abandoned++;

    public IDisposable BeginEvaluation() => no_grad();

    public JsonObject Describe() => [];

    public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default) => throw new InvalidOperationException();

    public void Dispose() => SetGradients(false);

    private void SetGradients(bool value)
    {
        foreach ((_, var weight) in Model.NamedWeights())
            weight.requires_grad = value;
    }
}

/// <summary>Some weights of a model.</summary>
internal sealed class PartOfModel : ITrainable, IDisposable
{
    private readonly Func<string, bool> _chosen;

    public PartOfModel(LlamaModel model, Func<string, bool> chosen)
    {
        (Model, _chosen) = (model, chosen);
        foreach ((string name, var weight) in model.NamedWeights())
            weight.requires_grad = chosen(name);
    }

    public LlamaModel Model { get; }

    public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options) =>
        ParameterGroup.Split(Model.NamedWeights().Where(w => _chosen(w.Name)).Select(w => new TrainableParameter(w.Name, w.Weight)), options);

    public IDisposable BeginEvaluation() => no_grad();

    public JsonObject Describe() => [];

    public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default) => throw new InvalidOperationException();

    public void Dispose()
    {
        foreach ((_, var weight) in Model.NamedWeights())
            weight.requires_grad = false;
    }
}

/// <summary>Gates on every axis with values between 0 and 1 that require gradients.</summary>
internal static class SoftGates
{
    public static LlamaGates Of(LlamaShape shape, bool gateEmbedding)
    {
        LlamaGates gates = LlamaGates.Ones(shape, PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers, requiresGrad: true, gateEmbedding: gateEmbedding);
        using var noGrad = no_grad();
        using var generator = new Generator(5, CPU);
        foreach (Tensor gate in gates.Tensors())
            gate.uniform_(0.3, 1, generator);
        return gates;
    }

    public static Dictionary<string, float[]> Take(LlamaGates gates) =>
        PlainStep.Take(gates.Tensors().Select((g, i) => ($"gate {i}", g)));
}
