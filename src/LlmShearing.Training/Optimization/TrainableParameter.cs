using TorchSharp.Modules;

namespace LlmShearing.Training.Optimization;

/// <summary>A parameter under the name that it has in training checkpoints.</summary>
/// <param name="Name">Unique; for weights the Hugging Face name, for adapters the PEFT name.</param>
/// <param name="Value">The parameter; requires gradients.</param>
public sealed record TrainableParameter(string Name, Parameter Value);
