using System.Text.Json.Nodes;
using LlmShearing.Core.Tests.Checkpoints;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Training;

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
        Optimizer = new OptimizerOptions { LearningRate = 0.01, WeightDecay = 0.1, WarmupSteps = 2 },
    };

    private readonly TemporaryFolder _folder = new();

    public string Run => _folder["run"];

    public string Checkpoints => Path.Combine(Run, "checkpoints");

    public OutputFiles Files { get; set; } = OutputFiles.Default;

    public Func<FullModel, ITrainable> Wrap { get; set; } = m => m;

    public Func<ScriptedData> Data { get; set; } = () => new ScriptedData();

    public IReadOnlyList<EvaluationSet>? Evaluation { get; set; } = ScriptedData.Evaluation();

    public IReadOnlyDictionary<string, byte[]>? Weights { get; private set; }

    public TrainingResult Start(TrainingRunOptions? options = null, IReadOnlyCollection<string>? allow = null, Action<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 5);
        using var full = new FullModel(model);
        using ScriptedData data = Data();
        try
        {
            return new Trainer { Files = Files }.Run(
                Wrap(full), data, options ?? Options, Run, Evaluation, null, allow, progress is null ? null : new Immediate(progress), cancellationToken);
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

    public string[] Names() => [.. Directory.GetFileSystemEntries(Checkpoints).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];

    public byte[] FileOf(long step, string name) => File.ReadAllBytes(Path.Combine(Checkpoints, $"step-{step:d8}", name));

    /// <summary>The log without what depends on the clock.</summary>
    public string[] Log() => [.. File.ReadAllLines(Path.Combine(Run, "log.jsonl")).Select(l => Without(l, "time"))];

    /// <summary>The state of a checkpoint without what depends on the clock.</summary>
    public string StateOf(long step) => Without(System.Text.Encoding.UTF8.GetString(FileOf(step, "state.json")), "elapsed_seconds");

    /// <summary>The final checkpoint, the log and the weights in memory are those of another run, bit for bit.</summary>
    public void AssertEquals(RunBench other, long step)
    {
        Assert.Equal(other.Log(), Log());
        Assert.Equal(other.StateOf(step), StateOf(step));
        Assert.Equal(other.FileOf(step, "weights.safetensors"), FileOf(step, "weights.safetensors"));
        Assert.Equal(other.FileOf(step, "optimizer.safetensors"), FileOf(step, "optimizer.safetensors"));
        Assert.Equal(other.Weights!, Weights!);
    }

    public void Dispose() => _folder.Dispose();

    private static string Without(string json, string member)
    {
        JsonObject o = JsonNode.Parse(json)!.AsObject();
        Assert.True(o.Remove(member), json);
        return o.ToJsonString();
    }

    private sealed class Immediate(Action<ShearingProgress> action) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => action(value);
    }
}
