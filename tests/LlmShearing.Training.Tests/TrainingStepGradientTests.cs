// Gradients of the step against plain autograd through the whole model.
using LlmShearing.Testing.Training;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class TrainingStepGradientTests
{
    public static TheoryData<string> Models => [.. StepModels.All.Keys];

    [Theory]
    [MemberData(nameof(Models))]
    public void Compute_AnyModel_EqualsAutogradThroughTheWholeModel(string kind)
    {
        using LlamaModel model = StepModels.All[kind]();
        foreach ((string name, TrainingBatch batch) in StepBatches.All)
        {
            using var full = new FullModel(model);
            (double expectedLoss, Dictionary<string, float[]> expected) = PlainStep.Run(model, batch);
            foreach (bool recompute in new[] { true, false })
            {
                StepLosses losses = new TrainingStep(full, new TrainingStepOptions { Recompute = recompute, LogitBytes = 3000 }).Compute([batch], 0, 0);
                Near.Equal(expectedLoss, losses.Loss, 0, 1e-5, $"{name}: loss");
                PlainStep.AssertEqual(expected, PlainStep.Take(model), 5e-5, $"{kind}, {name}, recompute {recompute}");
            }
        }
    }
}
