// No tensor is left behind, whatever ends a step; a cancelled step leaves no gradients.
using LlmShearing.Testing.Training;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

[Collection("tensor count")]
public sealed class TrainingStepLifetimeTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ComputeAndStep_Repeated_LeaveNoTensors(bool recompute)
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaGates gates = SoftGates.Of(model.Config.Shape, true);
        using var gated = new GatedModel(model, gates);
        var step = new TrainingStep(gated, new TrainingStepOptions { Recompute = recompute });
        using var adam = new AdamWOptimizer(gated.Groups(new OptimizerSettings()));
        LeakProbe.AssertNoGrowth(() =>
        {
            step.Compute([StepBatches.Labelled(1), StepBatches.Labelled(2)], 0, 0);
            double norm = adam.GradientNorm();
            adam.Step([1e-4, 1e-4], AdamWOptimizer.ClipScale(norm, 1));
            adam.ZeroGradients();
            SoftGates.Take(gates);
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Compute_CancelledAtEveryPlace_LeavesNeitherTensorsNorGradients(bool recompute)
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        TrainingBatch[] batches = [StepBatches.Labelled(1), StepBatches.Labelled(2)];
        var options = new TrainingStepOptions { Recompute = recompute, LogitBytes = 600 };
        int places = 0;
        for (bool cancelled = true; cancelled; places++)
        {
            int at = places;
            cancelled = false;
            LeakProbe.AssertNoGrowth(() =>
            {
                using var source = new CancellationTokenSource();
                try
                {
                    new TrainingStep(full, options, new CancelAt(source, at)).Compute(batches, 0, 0, source.Token);
                    model.zero_grad();
                }
                catch (OperationCanceledException)
                {
                    cancelled = true;
                    Assert.All(model.NamedWeights(), w => Assert.Null(w.Weight.grad));
                }
            });
        }

        Assert.True(places > 10, $"it was cancelled in {places} places only");
    }

    [Fact]
    public void AdamW_CreatedAndDisposed_LeavesNoTensors()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(), 1, ScalarType.BFloat16);
        using var full = new FullModel(model);
        var step = new TrainingStep(full, new TrainingStepOptions());
        LeakProbe.AssertNoGrowth(() =>
        {
            using var adam = new AdamWOptimizer(full.Groups(new OptimizerSettings()));
            step.Compute([StepBatches.Labelled(1)], 0, 0);
            adam.GradientNorm();
            adam.Step([1e-3, 1e-3]);
            adam.CompleteRestore(adam.StepCounts);
            adam.ZeroGradients();
        });
    }

    // Cancels at the n-th time that it is asked something.
    private sealed class CancelAt(CancellationTokenSource source, int n) : ITrainingObjective, IMicroBatchObjective
    {
        private int _calls;

        public IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored) => Count(this);

        public bool Wants(int layer) => Count(false);

        public Tensor AtLogits(Tensor logits, Tensor targets, long first, double scale, LossSums losses)
        {
            losses.Add("loss", CrossEntropy.InPlace(logits, targets, scale));
            return Count(logits);
        }

        public void Dispose()
        {
        }

        private T Count<T>(T value)
        {
            if (_calls++ == n)
                source.Cancel();
            return value;
        }
    }
}
