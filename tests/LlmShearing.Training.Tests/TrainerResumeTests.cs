using LlmShearing.Testing.Training;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;

namespace LlmShearing.Training.Tests;

/// <summary>A run that was stopped, killed or damaged ends as one that was not.</summary>
public sealed class TrainerResumeTests : IDisposable
{
    private static readonly Lazy<RunBench> Whole = new(() =>
    {
        var bench = new RunBench();
        TrainingResult result = bench.Start();
        Assert.Equal(TrainingStop.Completed, result.Stop);
        return bench;
    });

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
    public void Run_CancelledAfterAnyStep_EndsAsTheUninterruptedRun(int step)
    {
        TrainingResult stopped = _run.StopAfter(step);
        Assert.Equal((TrainingStop.Interrupted, (long)step), (stopped.Stop, stopped.Step));
        Assert.Contains("Start the same run again", stopped.Message);
        TrainingResult rest = _run.Start();
        Assert.Equal((TrainingStop.Completed, 7L, (long)step), (rest.Stop, rest.Step, rest.ResumedAt));
        _run.AssertEquals(Whole.Value, 7);
    }

    [Fact]
    public void Run_CancelledAfterEveryStep_EndsAsTheUninterruptedRun()
    {
        for (int step = 0; step < 7; step++)
            Assert.Equal(step, _run.StopAfter(step).Step);
        Assert.Equal(TrainingStop.Completed, _run.Start().Stop);
        _run.AssertEquals(Whole.Value, 7);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(11)]
    [InlineData(13)]
    public void Run_BrokenOffInTheMiddle_GoesOnFromTheLastCheckpoint(int batch)
    {
        _run.Data = () => new ScriptedData { OnNext = n => _ = n == batch ? throw new TokenDataException("row 3 is damaged") : 0 };
        Assert.Throws<TokenDataException>(() => _run.Start());
        _run.Data = () => new ScriptedData();
        _run.Start();
        _run.AssertEquals(Whole.Value, 7);
    }

    [Fact]
    public void Run_FinishedRunAgain_SaysSoAndLeavesEverything()
    {
        _run.Start();
        string[] before = File.ReadAllLines(Path.Combine(_run.Run, "log.jsonl"));
        TrainingResult again = _run.Start();
        Assert.Equal((TrainingStop.Completed, 7L, 7L), (again.Stop, again.Step, again.ResumedAt));
        Assert.Contains("finished already", again.Message);
        Assert.Equal(before, File.ReadAllLines(Path.Combine(_run.Run, "log.jsonl")));
        _run.AssertEquals(Whole.Value, 7);
    }

    [Fact]
    public void Run_MoreStepsAllowed_GoesOn()
    {
        _run.Start();
        TrainingResult more = _run.Start(RunBench.Options with { Steps = 9 }, ["Steps"]);
        Assert.Equal((TrainingStop.Completed, 9L, 7L), (more.Stop, more.Step, more.ResumedAt));
    }

    [Fact]
    public void Run_ChangedSettings_AreRefusedByName()
    {
        _run.StopAfter(2);
        TrainingRunOptions changed = RunBench.Options with { Seed = 4, Optimizer = RunBench.Options.Optimizer with { LearningRate = 0.5 } };
        string message = Assert.Throws<TrainingException>(() => _run.Start(changed)).Message;
        Assert.Contains("options.Seed was 3 and is now 4", message);
        Assert.Contains("options.Optimizer.LearningRate was 0.01 and is now 0.5", message);
        Assert.DoesNotContain("Steps", message);
        Assert.Contains("options.Seed was", Assert.Throws<TrainingException>(() => _run.Start(changed, ["Optimizer"])).Message);
        Assert.Contains("no such setting", Assert.Throws<TrainingException>(() => _run.Start(changed, ["LearnRate"])).Message);
        Assert.Equal(7, _run.Start(changed, ["Optimizer.LearningRate", "options.Seed"]).Step);
    }

    [Fact]
    public void Run_OtherDataOrEvaluation_AreRefusedByName()
    {
        _run.StopAfter(2);
        _run.Data = () => new ScriptedData(seed: 2);
        Assert.Contains("data.seed was 1 and is now 2", Assert.Throws<TrainingException>(() => _run.Start()).Message);
        _run.Data = () => new ScriptedData();
        _run.Evaluation = [ScriptedData.Evaluation()[0] with { Name = "other" }, ScriptedData.Evaluation()[1]];
        Assert.Contains("evaluation was [\"low\",\"high\"] and is now [\"other\",\"high\"]", Assert.Throws<TrainingException>(() => _run.Start()).Message);
    }

    [Fact]
    public void Run_OtherStorageSettings_AreAccepted()
    {
        _run.StopAfter(2);
        _run.Start(RunBench.Options with { CheckpointEvery = 1, KeepLast = 3, CheckpointInterval = TimeSpan.FromHours(1), KeepBest = false });
        _run.AssertEquals(Whole.Value, 7);
        Assert.Equal(["step-00000005", "step-00000006", "step-00000007"], _run.Files.Names());
    }

    [Theory]
    [InlineData("weights.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("state.json")]
    [InlineData("checksums.json")]
    public void Run_NewestCheckpointDamaged_FallsBackToTheOneBefore(string file)
    {
        foreach (Action<string> damage in new Action<string>[] { Cut, Flip, File.Delete })
        {
            using var run = new RunBench();
            run.StopAfter(5);
            damage(Path.Combine(run.Files.Checkpoints, "step-00000005", file));
            TrainingResult result = run.Start();
            Assert.Equal(4, result.ResumedAt);
            Assert.Contains("step-00000005", Assert.Single(result.Warnings));
            Assert.Contains("damaged", result.Warnings[0]);
            Assert.Equal(["damaged-step-00000005", "step-00000006", "step-00000007"], run.Files.Names());
            run.AssertEquals(Whole.Value, 7);
        }
    }

    [Fact]
    public void Run_AllCheckpointsDamaged_StopsAndSaysSo()
    {
        _run.StopAfter(5);
        foreach (string folder in Directory.GetDirectories(_run.Files.Checkpoints))
            Cut(Path.Combine(folder, "weights.safetensors"));
        string message = Assert.Throws<TrainingException>(() => _run.Start()).Message;
        Assert.Contains("No checkpoint of the run", message);
        Assert.Contains("step-00000005", message);
    }

    [Fact]
    public void Run_LogCutOrAhead_IsBroughtToTheCheckpoint()
    {
        _run.StopAfter(4);
        string log = Path.Combine(_run.Run, "log.jsonl");
        File.AppendAllText(log, "{\"step\":5,\"kind\":\"step\"}\n{\"step\":6,\"ki");
        _run.Start();
        _run.AssertEquals(Whole.Value, 7);
    }

    [Fact]
    public void Run_LogGone_WarnsAndGoesOn()
    {
        _run.StopAfter(4);
        File.Delete(Path.Combine(_run.Run, "log.jsonl"));
        Assert.Contains("log.jsonl", Assert.Single(_run.Start().Warnings));
        Assert.Equal(Whole.Value.Weights!, _run.Weights!);
    }

    private static void Cut(string path)
    {
        using FileStream file = File.OpenWrite(path);
        file.SetLength(file.Length - 1);
    }

    private static void Flip(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^5] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
