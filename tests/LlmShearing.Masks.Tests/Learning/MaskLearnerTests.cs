// The pruning phase as a trainer sees it: gradients, accumulation, recompute, resuming, evaluation, what is refused.
using LlmShearing.Masks.Learning;
using LlmShearing.Model;
using LlmShearing.Planning;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using LlmShearing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using Microsoft.Extensions.Logging;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Learning;

[Collection("tensor count")]
public sealed class MaskLearnerTests
{
    private static readonly TargetSizes Small = new() { Layers = 2, Hidden = 8, QueryHeads = 2, KeyValueHeads = 1, Intermediate = 12 };

    private static readonly TrainingRunOptions Run = new()
    {
        Steps = 8,
        GradientAccumulation = 2,
        Seed = 5,
        EvaluateEvery = 3,
        CheckpointEvery = 2,
        KeepLast = 100,
        Optimizer = new OptimizerSettings { LearningRate = 0.01, WarmupSteps = 2 },
    };

    [Fact]
    public void DisposedModel_IsToldAsSuch_AndTheLearnerCanStillGo()
    {
        using var folder = new TemporaryFolder();
        LlamaModel model = TinyLlama.Create();
        MaskLayout layout = MaskLayout.ForTarget(model.Config.Shape, TargetShape.Of(model.Config.Shape, Small));
        var learner = new MaskLearner(model, layout);
        MaskValues values = learner.Masks.Deterministic();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new MaskLearner(model, layout));
        Assert.Throws<ObjectDisposedException>(() => MaskFold.Apply(model, values));
        Assert.Throws<ObjectDisposedException>(() => learner.Export(folder["out"]));
        Assert.Throws<ObjectDisposedException>(() => new TrainingStep(learner, new TrainingStepOptions()));
        learner.Dispose();
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Run_StoppedAfterEveryStep_EndsBitForBitAsTheUninterruptedOne()
    {
        using var folder = new TemporaryFolder();
        (string[] wholeLog, float[] whole) = Finish(folder["whole"]);
        for (int step = 1; step < Run.Steps; step++)
            Assert.Equal(TrainingStop.Interrupted, Start(folder["stopped"], stopAfter: step).Result.Stop);
        (string[] log, float[] weights) = Finish(folder["stopped"]);
        Assert.Equal(whole, weights);
        Assert.Equal(wholeLog, log);
    }

    [Fact]
    public void Run_ResumedWithAnotherTarget_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        Start(folder["run"], stopAfter: 2);
        TrainingException e = Assert.Throws<TrainingException>(() => Start(folder["run"], sizes: Small with { Intermediate = 16 }));
        Assert.Contains("target", e.Message);
    }

    [Fact]
    public void Compute_MicroBatchesWithOneNoise_AreOneBatch()
    {
        (float[] together, double loss) = GradientsOf(micro: 1, recompute: false);
        (float[] apart, double lossApart) = GradientsOf(micro: 4, recompute: false);
        Near.Equal(loss, lossApart, 0, 1e-6, "loss");
        Near.Equal(together, apart, 1e-6, 1e-5, "gradients");
    }

    [Fact]
    public void Compute_BlocksRecomputed_DrawsTheSameMasks()
    {
        Near.Equal(GradientsOf(micro: 2, recompute: false).Gradients, GradientsOf(micro: 2, recompute: true).Gradients, 1e-6, 1e-5, "gradients");
    }

    [Fact]
    public void Compute_LogitGradients_AreThoseOfFiniteDifferences()
    {
        // All kinds of masks of a grouped model with tied embeddings; noise and data fixed, so the loss is a function of logits and multipliers.
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(tied: true, biases: true), seed: 3);
        var sizes = new TargetSizes { Layers = 2, Hidden = 8, QueryHeads = 1, KeyValueHeads = 1, Intermediate = 12 };
        MaskLayout layout = MaskLayout.ForTarget(model.Config.Shape, TargetShape.Of(model.Config.Shape, sizes));
        Assert.Equal(5, layout.Families.Length);
        var options = new MaskLearningOptions { RampSteps = 4, Initialization = new MaskInitialization { Mean = 0.5, Deviation = 1 } };
        using var learner = new MaskLearner(model, layout, options);
        using (no_grad())
            foreach (TrainableParameter multiplier in learner.Masks.Multipliers)
                multiplier.Value.fill_(0.3);
        var step = new TrainingStep(learner, new TrainingStepOptions());
        TrainingBatch[] batches = Batches(2);
        double Loss() => step.Compute(batches, 2, 7).Loss;
        Loss();
        TrainableParameter[] all = [.. learner.Masks.Logits, .. learner.Masks.Multipliers];
        float[][] gradients = [.. all.Select(p => (float[])[.. p.Value.grad!.data<float>()])];
        for (int k = 0; k < all.Length; k++)
        {
            Span<float> values = Values(all[k].Value);
            int compared = 0;
            for (int i = 0; i < values.Length; i += Math.Max(1, values.Length / 4))
            {
                float at = values[i];
                Values(all[k].Value)[i] = at + 0.01f;
                double above = Loss();
                Values(all[k].Value)[i] = at - 0.01f;
                double below = Loss();
                Values(all[k].Value)[i] = at;
                Near.Equal((above - below) / 0.02, gradients[k][i], 3e-4, 0.02, $"{all[k].Name}[{i}]");
                compared++;
            }

            Assert.True(compared > 0);
        }
    }

    [Fact]
    public void Evaluate_DuringARun_UsesMasksWithoutRandomness()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(seed: 2);
        using MaskLearner learner = Learner(model, Small);
        using (learner.BeginEvaluation())
        using (no_grad())
        {
            LlamaGates first = learner.BeginMicroBatch(new MicroBatchKey(0, 0, 1))!, second = learner.BeginMicroBatch(new MicroBatchKey(3, 1, 9))!;
            Assert.Same(first, second);
            Assert.All(first.Hidden!.data<float>().ToArray(), z => Assert.InRange(z, 0.99f, 0.999f));   // nothing is expected to be zero at the start
            Assert.False(first.Hidden.requires_grad);
        }

        LlamaGates sampled = learner.BeginMicroBatch(new MicroBatchKey(0, 0, 1))!;
        Assert.True(sampled.Hidden!.requires_grad);
        learner.AbandonMicroBatch();
    }

    [Fact]
    public void Cut_AfterTraining_ComputesWhatTheMaskedModelComputes()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(tied: true), seed: 4);
        foreach (bool gateEmbedding in new[] { true, false })
        {
            using MaskLearner learner = Learner(model, Small, new MaskLearningOptions { RampSteps = 1, GateEmbedding = gateEmbedding, Initialization = new MaskInitialization { Mean = 0, Deviation = 2 } });
            using LlamaModel cut = learner.Cut();
            Assert.Equal(learner.Masks.Layout.Target, cut.Config.Shape);
            using var scope = NewDisposeScope();
            using IDisposable frozen = no_grad();
            using LlamaGates gates = learner.Masks.Deterministic().ToGates(gateEmbedding: gateEmbedding);
            Tensor ids = tensor(TinyLlama.Rows(6, 50, 24)[0].Select(i => (long)i).ToArray(), 2, 12);
            Tensor masked = model.forward(ids, new ForwardOptions { Gates = gates }), small = cut.forward(ids);
            Near.Equal([.. masked.data<float>()], [.. small.data<float>()], 1e-5, 1e-5, $"logits, embedding gated: {gateEmbedding}");
        }
    }

    [Fact]
    public void Cut_Hardened_HasTheSameUnitsAndTheWeightsAsTheyWere()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(tied: true), seed: 4);
        using MaskLearner learner = Learner(model, Small, new MaskLearningOptions { RampSteps = 1, Harden = true, Initialization = new MaskInitialization { Mean = 0, Deviation = 2 } });
        using LlamaModel cut = learner.Cut(), sliced = ModelSurgery.Apply(model, MaskFold.Plan(learner.Masks.Deterministic()));
        foreach (((string name, var mine), (_, var plain)) in cut.NamedWeights().Zip(sliced.NamedWeights()))
            Near.Equal([.. plain.data<float>()], [.. mine.data<float>()], 0, 0, name);
    }

    [Fact]
    public void Convergence_BeforeAndAfter_SaysWhatIsMissing()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(seed: 2);
        using MaskLearner learner = Learner(model, Small);
        MaskConvergence before = learner.Convergence(3);
        Assert.False(before.IsReached);
        Assert.Contains("hidden 0.002 of 0.500", before.Problem);
        Assert.Contains("Train for about 30 steps", before.Problem);

        TrainingRunOptions longer = Run with { Steps = 450, EvaluateEvery = 0, CheckpointEvery = 450, Optimizer = Run.Optimizer with { LearningRate = 1e-3 } };
        using var data = new ScriptedData();
        new Trainer().Run(learner, data, longer, folder["run"]);
        MaskConvergence after = learner.Convergence(450);
        Assert.True(after.IsReached, after.Problem);
        Assert.Null(after.Problem);
    }

    [Fact]
    public void Run_WithALogger_SaysWhatIsMaskedHowFarItIsAndWhatIsCut()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(seed: 2);
        LlamaShape source = model.Config.Shape, target = TargetShape.Of(source, Small);
        var lines = new Lines();
        using var learner = new MaskLearner(model, MaskLayout.ForTarget(source, target), new MaskLearningOptions { RampSteps = 4 }, logger: lines);
        using var data = new ScriptedData();
        new Trainer().Run(learner, data, Run with { Steps = 6 }, folder["run"], ScriptedData.Evaluation());
        learner.Cut().Dispose();
        // 16 channels, 3 x 2 groups, 3 x 24 feed-forward channels, 3 blocks; evaluations before the first step (nothing to say yet), after 3 and 6.
        Assert.Equal(
            $"100 Masks of hidden, key-value-groups, intermediate, layers: 97 units of a model of {source.ParameterCount} parameters; wanted: {target.ParameterCount} parameters.", lines.All[0]);
        Assert.Equal(["100", "101", "101", "102"], lines.All.Select(l => l[..3]));
        Assert.Matches(@"^101 Masks: sparsity hidden 0\.\d{3} of 0\.250, key-value-groups 0\.\d{3} of 0\.250, .*; \d+ prunable parameters expected to stay\.$", lines.All[1]);
        Assert.Equal($"102 Masks folded and cut: {source.ParameterCount} -> {target.ParameterCount} parameters.", lines.All[^1]);
    }

    [Fact]
    public void TrainWeights_False_MovesMasksOnly()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(seed: 2), untouched = TinyLlama.Create(seed: 2);
        using MaskLearner learner = Learner(model, Small, new MaskLearningOptions { RampSteps = 4, TrainWeights = false });
        using var data = new ScriptedData();
        new Trainer().Run(learner, data, Run with { EvaluateEvery = 0 }, folder["run"]);
        foreach (((_, var mine), (_, var theirs)) in model.NamedWeights().Zip(untouched.NamedWeights()))
            Assert.Equal(theirs.data<float>().ToArray(), mine.data<float>().ToArray());
        Assert.Contains(learner.Masks.Logits, l => l.Value.data<float>().ToArray().Any(a => Math.Abs(a) < 4));
    }

    [Fact]
    public void Steps_Repeated_LeaveNoTensors()
    {
        using LlamaModel model = TinyLlama.Create(seed: 2);
        using MaskLearner learner = Learner(model, Small);
        var step = new TrainingStep(learner, new TrainingStepOptions());
        using var adam = new AdamWOptimizer(learner.Groups(Run.Optimizer));
        LeakProbe.AssertNoGrowth(() =>
        {
            step.Compute(Batches(2), 0, 1);
            adam.Step([.. adam.Groups.Select(_ => 0.01)]);
            adam.ZeroGradients();
            using (learner.BeginEvaluation())
                learner.BeginMicroBatch(default);
        });
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        LeakProbe.AssertNoGrowth(() => step.Compute(Batches(2), 0, 1, cancelled.Token), mayThrow: true);
    }

    [Fact]
    public void Create_BadSettings_AreRefusedByName()
    {
        using LlamaModel model = TinyLlama.Create(seed: 2);
        foreach ((MaskLearningOptions options, string part) in new[]
        {
            (new MaskLearningOptions { MaskLearningRate = 0 }, "MaskLearningRate is 0"),
            (new MaskLearningOptions { MultiplierLearningRate = double.NaN }, "MultiplierLearningRate is NaN"),
            (new MaskLearningOptions { TotalSparsity = 0.5 }, "Give one of the two"),
            (new MaskLearningOptions { RampSteps = -1 }, "-1 steps"),
            (new MaskLearningOptions { StartSparsity = 1 }, "start sparsity is 1"),
        })
            Assert.Contains(part, Assert.Throws<MaskException>(() => Learner(model, Small, options)).Message);
        using LlamaModel other = TinyLlama.Create(TinyLlama.Config(hidden: 20), seed: 2);
        MaskLayout layout = MaskLayout.ForTarget(other.Config.Shape, TargetShape.Of(other.Config.Shape, Small));
        Assert.Contains("hidden size 20; this one has 3 and 16", Assert.Throws<MaskException>(() => new MaskLearner(model, layout)).Message);
        Assert.All(model.NamedWeights(), w => Assert.False(w.Weight.requires_grad));
    }

    private static MaskLearner Learner(LlamaModel model, TargetSizes sizes, MaskLearningOptions? options = null, Func<MicroBatchKey, IMaskNoise>? noise = null) =>
        new(model, MaskLayout.ForTarget(model.Config.Shape, TargetShape.Of(model.Config.Shape, sizes)), options ?? new MaskLearningOptions { RampSteps = 4 }, noise: noise);

    private static (string[] Log, float[] Weights) Finish(string run)
    {
        (TrainingResult result, float[] weights) = Start(run);
        Assert.Equal(TrainingStop.Completed, result.Stop);
        string[] log = [.. File.ReadLines(Path.Combine(run, "log.jsonl")).Select(l => l[..l.IndexOf("\"time\"", StringComparison.Ordinal)])];
        return (log, weights);
    }

    private static (TrainingResult Result, float[] Weights) Start(string run, int? stopAfter = null, TargetSizes? sizes = null)
    {
        using LlamaModel model = TinyLlama.Create(seed: 2);
        using MaskLearner learner = Learner(model, sizes ?? Small);
        using var data = new ScriptedData();
        using var stop = new CancellationTokenSource();
        var progress = new Stopper(stop, stopAfter);
        TrainingResult result = new Trainer().Run(learner, data, Run, run, ScriptedData.Evaluation(), progress: progress, cancellationToken: stop.Token);
        return (result, [.. learner.Groups(Run.Optimizer).SelectMany(g => g.Parameters).SelectMany(p => p.Value.data<float>().ToArray())]);
    }

    // Gradients of everything with the same noise in all micro-batches.
    private static (float[] Gradients, double Loss) GradientsOf(int micro, bool recompute)
    {
        using LlamaModel model = TinyLlama.Create(seed: 2);
        using MaskLearner learner = Learner(model, Small, noise: _ => new SeededMaskNoise(77));
        using (no_grad())
            foreach (TrainableParameter multiplier in learner.Masks.Multipliers)
                multiplier.Value.fill_(0.5);
        TrainingBatch[] batches = Batches(4);
        int rows = 4 / micro;
        TrainingBatch[] grouped = [.. batches.Chunk(rows).Select(c => new TrainingBatch(TokenBatch.FromRows([.. c.Select(b => b.Tokens.Ids.ToArray())])))];
        StepLosses losses = new TrainingStep(learner, new TrainingStepOptions { Recompute = recompute }).Compute(grouped, 3, 1);
        return ([.. learner.Groups(Run.Optimizer).SelectMany(g => g.Parameters).SelectMany(p => p.Value.grad!.data<float>().ToArray())], losses.Loss);
    }

    private static TrainingBatch[] Batches(int count) =>
        [.. TinyLlama.Rows(8, 50, [.. Enumerable.Repeat(10, count)]).Select(r => new TrainingBatch(TokenBatch.FromRows([r])))];

    private static Span<float> Values(Tensor tensor) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(tensor.bytes);

    private sealed class Stopper(CancellationTokenSource stop, int? after) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value)
        {
            if (value.Stage == "training" && value.Completed == after)
                stop.Cancel();
        }
    }

    private sealed class Lines : ILogger<MaskLearner>
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Add($"{eventId.Id} {formatter(state, exception)}");
    }
}
