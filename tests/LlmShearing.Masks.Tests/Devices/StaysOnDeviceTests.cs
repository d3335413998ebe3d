// Everything that computes with masks, as a table: under the traps it gives the same numbers as without.
using LlmShearing.Masks.Learning;
using LlmShearing.Masks.Tests.Folding;
using LlmShearing.Model;
using LlmShearing.Planning;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Devices;

[Collection("tensor count")]
public sealed class StaysOnDeviceTests
{
    private static readonly TargetSizes Small = new() { Layers = 2, Hidden = 12, QueryHeads = 2, KeyValueHeads = 1, Intermediate = 12 };

    private static readonly Dictionary<string, Func<double[]>> All = new()
    {
        ["learn and cut"] = () => Learn(new MaskLearningOptions { RampSteps = 4 }, ScalarType.Float32),
        ["learn as the reference"] = () => Learn(MaskLearningOptions.Reference with { RampSteps = 4 }, ScalarType.Float32),
        ["learn in bfloat16"] = () => Learn(new MaskLearningOptions { RampSteps = 4 }, ScalarType.BFloat16),
        ["run, stop and go on"] = Run,
        ["fold"] = Fold,
        ["score"] = Score,
    };

    public static TheoryData<string> Names => [.. All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Work_UnderTraps_GivesTheSameNumbers(string name) => DeviceTraps.AssertStays(All[name], name.Contains("bfloat16", StringComparison.Ordinal) ? 5e-3 : 1e-3);

    private static double[] Learn(MaskLearningOptions options, ScalarType type)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(), 2, type);
        using MaskLearner learner = Learner(model, options);
        IReadOnlyList<ParameterGroup> groups = learner.Groups(new OptimizerSettings { LearningRate = 0.01 });
        using var optimizer = new AdamWOptimizer(groups);
        var step = new TrainingStep(learner, new TrainingStepOptions());
        var numbers = new List<double>();
        for (int i = 0; i < 3; i++)
        {
            StepLosses losses = step.Compute([new TrainingBatch(TinyLlama.Batch(i, 2, 9)), new TrainingBatch(TinyLlama.Batch(9, 3, 5))], i, 4);
            numbers.AddRange([losses.Loss, optimizer.GradientNorm(), .. learner.Metrics().Values]);
            optimizer.Step([.. groups.Select(g => g.LearningRate)]);
            optimizer.ZeroGradients();
        }

        using LlamaModel cut = learner.Cut();
        return [.. numbers, .. Weights(cut)];
    }

    private static double[] Run()
    {
        using var folder = new TemporaryFolder();
        TrainingResult Start(int steps)
        {
            using LlamaModel model = TinyLlama.Create(seed: 2);
            using MaskLearner learner = Learner(model, new MaskLearningOptions { RampSteps = 4 });
            using var data = new ScriptedData();
            var options = new TrainingRunOptions { Steps = steps, Seed = 5, EvaluateEvery = 2, CheckpointEvery = 2, Optimizer = new OptimizerSettings { LearningRate = 0.01 } };
            return new Trainer().Run(learner, data, options, folder["run"], ScriptedData.Evaluation(), allowedChanges: ["Steps"]);
        }

        Start(2);
        TrainingResult result = Start(4);
        Assert.Equal(2, result.ResumedAt);
        return [result.Loss!.Value, .. result.Evaluation!.Sets.Values];
    }

    private static double[] Fold()
    {
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(4, 2, tied: false, "all"), 3);
        MaskValues masks = TinyMasks.Random(model.Config.Shape, TinyMasks.All, 1);
        using LlamaModel cut = MaskFold.Apply(model, masks);
        using LlamaGates gates = masks.ToGates(device: model.Device);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        TokenBatch batch = TinyLlama.Batch(1, 2, 7);
        return [.. Weights(cut), .. DeviceTraps.Numbers(model.forward(TokenIds.ToTensor(batch, model), new ForwardOptions { Gates = gates }))];
    }

    private static double[] Score()
    {
        using MaskState state = TinyMasks.State(TinyLlama.Config(layers: 4).Shape, TinyMasks.Target(TinyLlama.Config(layers: 4).Shape, 2, 1), 4);
        ImportanceScores scores = LearnedMaskScorer.ScoresOf(state);
        return [.. Enum.GetValues<PruningAxes>().Where(scores.Has).SelectMany(axis => scores[axis].SelectMany(row => row))];
    }

    private static MaskLearner Learner(LlamaModel model, MaskLearningOptions options) =>
        new(model, MaskLayout.ForTarget(model.Config.Shape, TargetShape.Of(model.Config.Shape, Small)), options);

    private static double[] Weights(LlamaModel model)
    {
        using var scope = NewDisposeScope();
        return [.. model.NamedWeights().SelectMany(w => DeviceTraps.Numbers(w.Weight))];
    }
}
