// What would end the process is answered with an exception: two gradient computations on one model, and gradients of what was not used.
using LlmShearing.Testing.Training;
using LlmShearing.Core.Tests.Scoring;
using LlmShearing.Model;
using LlmShearing.Scoring;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Devices;

[Collection("tensor count")]
public sealed class ModelInUseTests
{
    [Fact]
    public void Compute_FromManyThreads_GivesResultsOrManagedExceptions()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        Exception?[] thrown = new Exception?[4];
        int done = 0;
        Thread[] threads = [.. Enumerable.Range(0, thrown.Length).Select(t => new Thread(() => thrown[t] = Record.Exception(() =>
        {
            var step = new TrainingStep(full, new TrainingStepOptions());
            for (int i = 0; i < 20; i++)
            {
                try
                {
                    if (t % 2 == 0)
                        step.Compute([new TrainingBatch(TinyLlama.Batch(t, 2, 8))], i, 0);
                    else
                        ScorerLeakTests.Create(t == 1 ? ScorerNames.Taylor : ScorerNames.GateTaylor).Score(new ScoringRequest(model, PruningAxes.Layers, TestBatches.Full()));
                    Interlocked.Increment(ref done);
                }
                catch (InvalidOperationException e) when (e.Message.Contains("is in use", StringComparison.Ordinal))
                {
                }
            }
        })))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        Assert.All(thrown, Assert.Null);
        Assert.True(done > 0);
    }

    [Fact]
    public void Compute_WhileAScorerDifferentiates_IsRefusedAndBothGoOnAfterwards()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        var step = new TrainingStep(full, new TrainingStepOptions());
        TrainingBatch[] batches = [new(TinyLlama.Batch(1, 2, 8))];
        Exception? refused = null;
        var scorer = new BlockTaylorScorer();
        var request = new ScoringRequest(model, PruningAxes.Layers, TestBatches.Full());
        scorer.Score(request, new Inline(_ => refused ??= OnAnotherThread(() => step.Compute(batches, 0, 0))));
        Assert.Contains("is in use", Assert.IsType<InvalidOperationException>(refused).Message, StringComparison.Ordinal);
        Assert.True(double.IsFinite(step.Compute(batches, 0, 0).Loss));
    }

    [Theory]
    [InlineData(ScorerNames.Taylor)]
    [InlineData(ScorerNames.GateTaylor)]
    public void Score_WhileAStepIsComputed_IsRefused(string name)
    {
        using LlamaModel model = TinyLlama.Create();
        Exception? refused = null;
        using LlamaGates gates = LlamaGates.Ones(model.Config.Shape, PruningAxes.Hidden);
        using var trainable = new GatedModel(model, gates)
        {
            Additional = _ =>
            {
                refused = OnAnotherThread(() => ScorerLeakTests.Create(name).Score(new ScoringRequest(model, PruningAxes.Layers, TestBatches.Full())));
                return 0;
            },
        };
        new TrainingStep(trainable, new TrainingStepOptions()).Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0);
        Assert.IsType<InvalidOperationException>(refused);
    }

    [Fact]
    public void Compute_Cancelled_GivesTheModelBack()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        var step = new TrainingStep(full, new TrainingStepOptions());
        TrainingBatch[] batches = [new(TinyLlama.Batch(1, 2, 8))];
        Assert.ThrowsAny<OperationCanceledException>(() => step.Compute(batches, 0, 0, new CancellationToken(true)));
        step.Compute(batches, 0, 0);
    }

    [Fact]
    public void Score_TapThatLeavesOutTheWeight_IsRefusedByBlock()
    {
        using LlamaModel model = TinyLlama.Create();
        using IDisposable tap = model.layers[1].mlp!.down_proj.Attach(new Constant());
        ScoringException e = Assert.Throws<ScoringException>(() => new BlockTaylorScorer().Score(new ScoringRequest(model, PruningAxes.Layers, TestBatches.Full())));
        Assert.Contains("block 1 does not depend on all", e.Message, StringComparison.Ordinal);
    }

    private static Exception? OnAnotherThread(Action work)
    {
        Exception? thrown = null;
        var thread = new Thread(() => thrown = Record.Exception(work));
        thread.Start();
        thread.Join();
        return thrown;
    }

    private sealed class Constant : IProjectionTap
    {
        public Tensor? OnForward(Tensor input) => null;

        public Tensor Project(Projection projection, Tensor input) => zeros([input.shape[0], input.shape[1], projection.OutFeatures], device: input.device);
    }
}
