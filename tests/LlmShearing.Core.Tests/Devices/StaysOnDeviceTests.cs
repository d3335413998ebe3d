// Everything that computes with a model, as a table: under the traps it gives the same numbers as without.
using LlmShearing.Testing.Training;
using LlmShearing.Core.Tests.Scoring;
using LlmShearing.Devices;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Scoring;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using LlmShearing.Training.Distillation;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Devices;

[Collection("tensor count")]
public sealed class StaysOnDeviceTests
{
    private static readonly Dictionary<string, Func<double[]>> All = Paths();

    public static TheoryData<string> Names => [.. All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Work_UnderTraps_GivesTheSameNumbers(string name) => DeviceTraps.AssertStays(All[name], name.Contains("bfloat16", StringComparison.Ordinal) ? 5e-3 : 1e-4);

    [Fact]
    public void Evaluate_StreamedToAnotherDevice_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        using (LlamaModel model = TinyLlama.Create(3))
            TinyFolder.Write(model, folder["m"]);
        using IDisposable elsewhere = HostMemory.Avoid();
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        LeakProbe.AssertNoGrowth(() => Evaluate(streamed));
    }

    private static Dictionary<string, Func<double[]>> Paths()
    {
        var paths = new Dictionary<string, Func<double[]>>();
        foreach (string model in StepModels.All.Keys)
        {
            paths[$"train {model}"] = () => Train(model, new TrainingStepOptions());
            paths[$"gates {model}"] = () => Gated(model);
        }

        foreach (string scorer in new[] { ScorerNames.Magnitude, ScorerNames.Taylor, ScorerNames.BlockPerplexity, ScorerNames.BlockInfluence, ScorerNames.Angular, ScorerNames.GateTaylor })
        {
            paths[$"score {scorer}"] = () => Resident(m => Score(scorer, m));
            paths[$"score {scorer} streamed"] = () => Streamed(m => Score(scorer, m));
        }

        paths["train without recomputation"] = () => Train("grouped", new TrainingStepOptions { Recompute = false, LogitBytes = 2000 });
        paths["train bfloat16"] = () => Train("grouped", new TrainingStepOptions(), ScalarType.BFloat16);
        paths["distil"] = () => Distil(StateDistance.MeanSquare, BlockMatching.Fixed, 0);
        paths["distil with matching and top-k"] = () => Distil(StateDistance.Cosine, BlockMatching.Descending, 5);
        paths["evaluate"] = () => Resident(Evaluate);
        paths["evaluate streamed"] = () => Streamed(Evaluate);
        paths["generate greedily"] = () => Generate(new SamplingOptions { MaxNewTokens = 6, StopIds = [] });
        paths["generate with top-k"] = () => Generate(new SamplingOptions { MaxNewTokens = 6, StopIds = [], Temperature = 1, TopK = 5, TopP = 0.9, Seed = 3 });
        paths["generate from all tokens"] = () => Generate(new SamplingOptions { MaxNewTokens = 6, StopIds = [], Temperature = 1.5 });
        paths["run, stop and go on"] = Run;
        paths["cut"] = Cut;
        paths["load and save"] = LoadAndSave;
        return paths;
    }

    private static double[] Train(string model, TrainingStepOptions options, ScalarType? type = null)
    {
        using LlamaModel llama = type is { } t ? TinyLlama.Create(TinyLlama.Config(), 1, t) : StepModels.All[model]();
        using var full = new FullModel(llama);
        return Steps(full, options, null);
    }

    // Two steps of all kinds of batches: losses, norms, and the weights afterwards.
    private static double[] Steps(FullModel trainable, TrainingStepOptions options, ITrainingObjective? objective)
    {
        var settings = new OptimizerSettings { LearningRate = 0.01, WeightDecay = 0.1 };
        IReadOnlyList<ParameterGroup> groups = [.. trainable.Groups(settings), .. ParameterGroup.Split(objective?.Parameters ?? [], settings)];
        using var optimizer = new AdamWOptimizer(groups);
        var step = new TrainingStep(trainable, options, objective);
        var numbers = new List<double>();
        for (int i = 0; i < 2; i++)
        {
            StepLosses losses = step.Compute([.. StepBatches.All.Select(b => b.Batch)], i, 7);
            double norm = optimizer.GradientNorm();
            numbers.AddRange([losses.Loss, .. losses.Parts.Values, norm]);
            optimizer.Step([.. groups.Select(_ => 0.01)], AdamWOptimizer.ClipScale(norm, 1));
            optimizer.ZeroGradients();
        }

        using var scope = NewDisposeScope();
        numbers.AddRange(groups.SelectMany(g => g.Parameters).SelectMany(p => DeviceTraps.Numbers(p.Value)));
        return [.. numbers];
    }

    private static double[] Gated(string model)
    {
        using LlamaModel llama = StepModels.All[model]();
        using LlamaGates gates = SoftGates.Of(llama.Config.Shape, gateEmbedding: true);
        using var gated = new GatedModel(llama, gates);
        new TrainingStep(gated, new TrainingStepOptions()).Compute([.. StepBatches.All.Select(b => b.Batch)], 0, 0);
        return [.. gates.Gradients().Values.SelectMany(g => g.ToArray()).Select(v => (double)v)];
    }

    private static double[] Score(string scorer, ILlamaSource source)
    {
        IImportanceScorer s = ScorerLeakTests.Create(scorer);
        ImportanceScores scores = s.Score(new ScoringRequest(source, s.SupportedAxes, TestBatches.Mixed()));
        return [.. Enum.GetValues<PruningAxes>().Where(scores.Has).SelectMany(axis => scores[axis].SelectMany(row => row)).Where(double.IsFinite)];
    }

    private static double[] Resident(Func<ILlamaSource, double[]> work)
    {
        using LlamaModel model = TinyLlama.Create(3);
        return work(model);
    }

    private static double[] Streamed(Func<ILlamaSource, double[]> work)
    {
        using var folder = new TemporaryFolder();
        using (LlamaModel model = TinyLlama.Create(TinyLlama.Config([new(4, 2, 24), new(2, 1, 24), new(4, 2, 0), new(4, 2, 24)]), 3))
            TinyFolder.Write(model, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"], device: CPU);
        return work(streamed);
    }

    private static double[] Distil(StateDistance distance, BlockMatching matching, int topK)
    {
        using LlamaModel teacher = TinyLlama.Create(TinyLlama.Config(layers: 4), 11), student = TinyLlama.Create(TinyLlama.Config(layers: 2, queryHeads: 2, keyValueHeads: 1), 12);
        using var map = new StateMap(16, student.Device);
        var options = new DistillationOptions
        {
            StateWeight = 1,
            States = distance,
            Matching = matching,
            Blocks = matching == BlockMatching.Fixed ? [new(0, 1), new(1, 3)] : [],
            TeacherBlocks = matching == BlockMatching.Fixed ? [] : [1, 3],
            Logits = new LogitLoss { Temperature = 2, TopK = topK },
        };
        using var full = new FullModel(student);
        return Steps(full, new TrainingStepOptions(), new DistillationObjective(teacher, options, map));
    }

    private static double[] Evaluate(ILlamaSource source)
    {
        PruningPlan plan = PruningPlan.Identity(source.Config.Shape);
        using LlamaGates gates = LlamaGates.FromPlan(plan, source.Device);
        int[][] rows = TinyLlama.Rows(3, 50, 17, 5, 40, 9);
        return [.. new[] { null, gates }.SelectMany(g => new PerplexityEvaluator().Evaluate(source, rows, PerplexityProtocol.Rows, g).PerSequence.Select(s => s.MeanNll))];
    }

    private static double[] Generate(SamplingOptions options)
    {
        using LlamaModel model = TinyLlama.Create(5);
        TokenBatch prompts = LlamaGenerator.LeftPad(TinyLlama.Rows(2, 50, 5, 3, 7));
        return [.. LlamaGenerator.Generate(model, prompts, options).SelectMany(s => s.Ids).Select(id => (double)id)];
    }

    private static double[] Run()
    {
        using var bench = new RunBench();
        bench.StopAfter(3);
        TrainingResult result = bench.Start();
        Assert.Equal(3, result.ResumedAt);
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 5);
        using var full = new FullModel(model);
        TrainingCheckpoint.Last(bench.Run).LoadWeights(full);
        using var scope = NewDisposeScope();
        return [result.Loss!.Value, result.Evaluation!.Loss, .. model.NamedWeights().SelectMany(w => DeviceTraps.Numbers(w.Weight))];
    }

    private static double[] Cut()
    {
        using LlamaModel model = TinyLlama.Create(9);
        LlamaShape shape = model.Config.Shape;
        var plan = new PruningPlan { Source = shape, Hidden = IndexSet.All(12), Layers = [new LayerPlan(0, IndexSet.Of([0, 2]), IndexSet.All(20)), new LayerPlan(2, IndexSet.All(4), IndexSet.All(24))] };
        using LlamaModel cut = ModelSurgery.Apply(model, plan);
        using LlamaModel shared = model.ShareBlocks(PruningPlan.Identity(shape));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        TokenBatch batch = TinyLlama.Batch(1, 2, 7);
        return [.. DeviceTraps.Numbers(cut.forward(TokenIds.ToTensor(batch, cut))), .. DeviceTraps.Numbers(shared.forward(TokenIds.ToTensor(batch, shared)))];
    }

    private static double[] LoadAndSave()
    {
        using var folder = new TemporaryFolder();
        using (LlamaModel model = TinyLlama.Create(TinyLlama.Config(biases: true), 3))
            model.Save(folder["a"], ScalarType.BFloat16);
        using LlamaModel loaded = LlamaModel.Load(folder["a"], device: CPU);
        using var scope = NewDisposeScope();
        return [.. loaded.NamedWeights().SelectMany(w => DeviceTraps.Numbers(w.Weight))];
    }
}
