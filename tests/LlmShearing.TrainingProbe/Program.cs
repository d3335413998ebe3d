// A training run of a tiny model in a process of its own, for tests that kill it. Prints a line a step; the exit code is 0 when the run is done.
// Usage: <run folder> <steps> [masks]: with "masks" it learns masks and weights together, else all weights.
using System.Globalization;
using LlmShearing;
using LlmShearing.Masks;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using TorchSharp;

torch.set_num_threads(1);
var options = new TrainingRunOptions
{
    Steps = long.Parse(args[1], CultureInfo.InvariantCulture),
    GradientAccumulation = 2,
    Seed = 11,
    EvaluateEvery = 3,
    EvaluateFirst = true,
    CheckpointEvery = 2,
    KeepBest = true,
    Optimizer = new OptimizerSettings { LearningRate = 0.005, WeightDecay = 0.01, WarmupSteps = 5 },
};
using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 21);
ITrainable trainable = args is [_, _, "masks"]
    ? new MaskLearner(model, MaskLayout.ForTarget(model.Config.Shape, TargetShape.Of(model.Config.Shape, new TargetSizes { Hidden = 8, QueryHeads = 2, KeyValueHeads = 1, Intermediate = 12, Layers = 1 })), new MaskLearningOptions { RampSteps = 20 })
    : new FullModel(model);
using var owned = (IDisposable)trainable;
using var data = new ScriptedData(seed: 31);
TrainingResult result = new Trainer().Run(trainable, data, options, args[0], ScriptedData.Evaluation(), progress: new Printer());
Console.WriteLine($"done {result.Message}");
return result.Stop == TrainingStop.Completed ? 0 : 1;

internal sealed class Printer : IProgress<ShearingProgress>
{
    public void Report(ShearingProgress value)
    {
        if (value.Stage == "training")
            Console.WriteLine($"step {value.Completed}");
    }
}
