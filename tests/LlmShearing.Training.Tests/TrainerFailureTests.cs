using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Files;
using LlmShearing.Testing;
using LlmShearing.Testing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Tests;

/// <summary>Full disks, losses that are no numbers.</summary>
public sealed class TrainerFailureTests : IDisposable
{
    private readonly RunBench _run = new();

    public void Dispose() => _run.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(9)]
    [InlineData(12)]
    public void Run_DiskFullWhileACheckpointIsWritten_KeepsTheOneBefore(int file)
    {
        int created = 0;
        _run.Output = new OutputFiles { Create = (path, length) => created++ >= file ? new FullDisk(path, length / 2) : OutputFiles.Default.Create(path, length) };
        string message = Assert.Throws<TrainingException>(() => _run.Start(RunBench.Options with { KeepLast = 9 })).Message;
        Assert.Contains("could not be written", message);
        Assert.Contains("No space left", message);
        Assert.Contains(file < 4 ? "There is no checkpoint yet." : "The last checkpoint is", message);
        Assert.All(_run.Files.Names(), n => Assert.StartsWith("step-", n));
        Assert.Equal(Math.Min(file / 4, 3), _run.Files.Names().Length);

        _run.Output = OutputFiles.Default;
        Assert.Empty(_run.Start().Warnings);
        using var whole = new RunBench();
        whole.Start();
        _run.AssertEquals(whole, 7);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_LossOrGradientNotFinite_StopsWithStepDataAndCheckpoint(bool loss)
    {
        _run.Wrap = m => new Poisoned(m, loss, 4);
        string message = Assert.Throws<TrainingException>(() => _run.Start()).Message;
        Assert.Contains("Step 5", message);
        Assert.Contains(loss ? "the loss is NaN" : "the gradient norm NaN", message);
        Assert.Contains("batch 8; batch 9", message);
        Assert.Contains("step-00000004", message);
        Assert.Equal(Bytes(_run.Files.FileOf(4, "weights.safetensors")), Bytes(_run.Weights!));   // untouched since
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_NotFiniteWithSkip_LeavesTheStepOutAndCountsIt(bool loss)
    {
        TrainingRunOptions options = RunBench.Options with { NonFinite = NonFinitePolicy.Skip, MaxConsecutiveSkips = 2, KeepLast = 9, CheckpointEvery = 1 };
        _run.Wrap = m => new Poisoned(m, loss, 1, 2, 5);
        TrainingResult result = _run.Start(options);
        Assert.Equal((TrainingStop.Completed, 7L, 3L), (result.Stop, result.Step, result.SkippedSteps));
        Assert.Equal(_run.Files.FileOf(1, "weights.safetensors"), _run.Files.FileOf(3, "weights.safetensors"));
        Assert.Equal(_run.Files.FileOf(5, "optimizer.safetensors"), _run.Files.FileOf(6, "optimizer.safetensors"));
        Assert.All(JsonNode.Parse(_run.Files.StateOf(7))!["optimizer_steps"]!.AsObject(), p => Assert.Equal(4, (int)p.Value!));
        Assert.Equal(["2", "3", "6"], _run.Files.Log().Select(l => JsonNode.Parse(l)!).Where(l => (string)l["kind"]! == "skipped").Select(l => l["step"]!.ToJsonString()));

        using var resumed = new RunBench { Wrap = _run.Wrap };
        resumed.StopAfter(2, options);
        resumed.StopAfter(5, options);
        resumed.Start(options);
        resumed.AssertEquals(_run, 7);
    }

    [Fact]
    public void Run_TooManySkipsInARow_Stops()
    {
        _run.Wrap = m => new Poisoned(m, true, 1, 2, 3, 4);
        string message = Assert.Throws<TrainingException>(() => _run.Start(RunBench.Options with { NonFinite = NonFinitePolicy.Skip, MaxConsecutiveSkips = 3 })).Message;
        Assert.Contains("Step 5", message);
        Assert.Contains("3 steps before were left out", message);
    }

    [Fact]
    public void Run_EvaluationNotFinite_StopsAndNamesTheSet()
    {
        _run.Evaluation = [ScriptedData.Evaluation()[0]];
        _run.Data = () => new ScriptedData(batches: 2);
        _run.Wrap = m =>
        {
            using IDisposable frozen = TorchSharp.torch.no_grad();
            m.Model.norm.weight.fill_(float.NaN);
            return m;
        };
        string message = Assert.Throws<TrainingException>(() => _run.Start()).Message;
        Assert.Contains("evaluation set 'low' is NaN", message);
        Assert.Contains("low", message);
    }

    private static string Bytes(byte[] safetensors)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, safetensors);
            using SafetensorsReader reader = SafetensorsReader.Open(path);
            return string.Join("\n", reader.Tensors.OrderBy(t => t.Name, StringComparer.Ordinal).Select(t => t.Name + Convert.ToHexString(reader.GetSpan(t))));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Bytes(IReadOnlyDictionary<string, byte[]> weights) =>
        string.Join("\n", weights.OrderBy(w => w.Key, StringComparer.Ordinal).Select(w => w.Key + Convert.ToHexString(w.Value)));

    /// <summary>A model whose loss or gradient is NaN at some steps.</summary>
    private sealed class Poisoned(FullModel model, bool loss, params long[] steps) : ITrainable
    {
        public LlamaModel Model => model.Model;

        public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options) => model.Groups(options);

        public double EndMicroBatch(MicroBatchKey key, double scale)
        {
            if (!steps.Contains(key.Step))
                return 0;
            if (loss)
                return double.NaN;
            using TorchSharp.torch.Tensor? gradient = Model.norm.weight.grad;
            gradient!.fill_(float.NaN);
            return 0;
        }

        public IDisposable BeginEvaluation() => model.BeginEvaluation();

        public JsonObject Describe() => model.Describe();

        public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default) => model.Export(folder, overwrite, cancellationToken);
    }
}
