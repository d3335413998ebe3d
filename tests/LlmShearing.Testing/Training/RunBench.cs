using Xunit;
using LlmShearing.Files;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Testing.Training;

/// <summary>A tiny run that can be started again and again, each time with everything made anew as a new process would.</summary>
internal sealed class RunBench : IDisposable
{
    public static readonly TrainingRunOptions Options = new()
    {
        Steps = 7,
        GradientAccumulation = 2,
        Seed = 3,
        EvaluateEvery = 2,
        EvaluateFirst = true,
        CheckpointEvery = 3,
        KeepBest = true,
        Optimizer = new OptimizerSettings { LearningRate = 0.01, WeightDecay = 0.1, WarmupSteps = 2 },
    };

    private readonly TemporaryFolder _folder = new();

    public string Run => _folder["run"];

    public RunFiles Files => new(Run);

    public OutputFiles Output { get; set; } = OutputFiles.Default;

    public Func<FullModel, ITrainable> Wrap { get; set; } = m => m;

    public Func<ScriptedData> Data { get; set; } = () => new ScriptedData();

    public IReadOnlyList<EvaluationSet>? Evaluation { get; set; } = ScriptedData.Evaluation();

    public Func<ITrainingObjective?> Objective { get; set; } = () => null;

    public IReadOnlyDictionary<string, byte[]>? Weights { get; private set; }

    public TrainingResult Start(TrainingRunOptions? options = null, IReadOnlyCollection<string>? allow = null, Action<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 5);
        using var full = new FullModel(model);
        using ScriptedData data = Data();
        try
        {
            return new Trainer { Files = Output }.Run(
                Wrap(full), data, options ?? Options, Run, Evaluation, Objective(), allow, progress is null ? null : new Immediate(progress), cancellationToken);
        }
        finally
        {
            Weights = model.NamedWeights().ToDictionary(w => w.Name, w => w.Weight.bytes.ToArray());
        }
    }

    /// <summary>Starts it and cancels after a step.</summary>
    public TrainingResult StopAfter(long step, TrainingRunOptions? options = null)
    {
        using var cancel = new CancellationTokenSource();
        if (step == 0)
            cancel.Cancel();
        return Start(options, null, p =>
        {
            if (p.Stage == "training" && p.Completed == step)
                cancel.Cancel();
        }, cancel.Token);
    }

    /// <summary>The final checkpoint, the log and the weights in memory are those of another run, bit for bit.</summary>
    public void AssertEquals(RunBench other, long step)
    {
        Files.AssertEquals(other.Files, step);
        Assert.Equal(other.Weights!, Weights!);
    }

    public void Dispose() => _folder.Dispose();

    private sealed class Immediate(Action<ShearingProgress> action) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => action(value);
    }
}
