// A run that trains adapters with dropout, stopped and taken up again.
using LlmShearing.Testing;
using LlmShearing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;

namespace LlmShearing.Lora.Tests;

public sealed class LoraResumeTests : IDisposable
{
    private static readonly TrainingRunOptions Options = new()
    {
        Steps = 5,
        GradientAccumulation = 2,
        Seed = 6,
        EvaluateEvery = 2,
        CheckpointEvery = 2,
        Optimizer = new OptimizerSettings { LearningRate = 0.02 },
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("shearing-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Run_StoppedAfterEveryStep_EndsAsTheUninterruptedRun()
    {
        (TrainingResult whole, Dictionary<string, byte[]> expected) = Start("whole", null);
        for (int step = 1; step <= 5; step++)
            Assert.Equal(step, Start("stopped", step).Result.Step);
        (TrainingResult last, Dictionary<string, byte[]> actual) = Start("stopped", null);
        Assert.Equal((TrainingStop.Completed, 5L, 5L), (last.Stop, last.Step, last.ResumedAt));
        Assert.Equal(whole.Loss, last.Loss);
        Assert.Equal(whole.Evaluation!.Sets, last.Evaluation!.Sets);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Run_OtherBaseModel_IsRefused()
    {
        Start("run", 2);
        Assert.Contains("frozen was", Assert.Throws<TrainingException>(() => Start("run", null, model: 9)).Message);
    }

    private (TrainingResult Result, Dictionary<string, byte[]> Adapters) Start(string run, int? stopAfter, int model = 5)
    {
        using LlamaModel tiny = TinyLlama.Create(TinyLlama.Config(layers: 2), model);
        using LoraAttachment attachment = TinyLora.Attach(tiny, new LoraOptions { Dropout = 0.2 });
        using var data = new ScriptedData();
        using var cancel = new CancellationTokenSource();
        TrainingResult result = new Trainer().Run(
            new LoraTrainable(attachment), data, Options, Path.Combine(_folder, run), ScriptedData.Evaluation(), progress: new StopAt(stopAfter, cancel), cancellationToken: cancel.Token);
        return (result, attachment.Parameters.ToDictionary(p => p.Name, p => p.Value.bytes.ToArray()));
    }

    private sealed class StopAt(int? step, CancellationTokenSource cancel) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value)
        {
            if (value.Stage == "training" && value.Completed == step)
                cancel.Cancel();
        }
    }
}
