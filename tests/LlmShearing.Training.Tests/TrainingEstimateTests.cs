using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class TrainingEstimateTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Of_FullModel_CountsWhatIsAllocated(ScalarType dtype)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), dtype: dtype);
        using var trainable = new FullModel(model);
        var options = new TrainingRunOptions { Steps = 1 };
        TrainingEstimate estimate = TrainingEstimate.Of(trainable, options, 2, 8);
        using var optimizer = new AdamWOptimizer(trainable.Groups(options.Optimizer));
        Assert.Equal(model.Config.Shape.ParameterCount, estimate.Parameters);
        Assert.Equal(estimate.Parameters, estimate.TrainableParameters);
        Assert.Equal(model.NamedWeights().Sum(w => (long)w.Weight.bytes.Length), estimate.WeightBytes);
        Assert.Equal(optimizer.State.Values.Sum(t => (long)t.bytes.Length), estimate.OptimizerBytes);
        Assert.Equal(4 * estimate.Parameters, estimate.GradientBytes);
        Assert.Equal(estimate.WeightBytes + estimate.OptimizerBytes, estimate.CheckpointBytes);
        Assert.Equal(estimate.WeightBytes + estimate.GradientBytes + estimate.OptimizerBytes + estimate.ActivationBytes, estimate.TotalBytes);
    }

    [Fact]
    public void Of_NoRecomputation_TakesThreeTimesTheForwardWorkAndAllActivations()
    {
        LlamaConfig config = TinyLlama.Config(layers: 4);
        using LlamaModel model = TinyLlama.Create(config);
        using var trainable = new FullModel(model);
        var kept = new TrainingRunOptions { Steps = 1, Step = new TrainingStepOptions { Recompute = false } };
        var again = new TrainingRunOptions { Steps = 1, GradientAccumulation = 2 };
        long matrices = model.NamedWeights().Where(w => w.Weight.dim() == 2 && w.Name != "model.embed_tokens.weight").Sum(w => w.Weight.NumberOfElements);
        double tokens = 16, attention = 4 * tokens * 8 * 16 * 4, forward = (2 * tokens * matrices) + attention;
        Assert.Equal(3 * forward, TrainingEstimate.Of(trainable, kept, 2, 8).Flops, 1e-6);
        double blocks = forward - (2 * tokens * 50 * 16);
        Assert.Equal(2 * ((3 * forward) + (blocks * 3 / 4)), TrainingEstimate.Of(trainable, again, 2, 8).Flops, 1e-6);
        Assert.True(TrainingEstimate.Of(trainable, kept, 2, 8).ActivationBytes > TrainingEstimate.Of(trainable, again, 2, 8).ActivationBytes);
    }
}
