using System.Text.Json.Nodes;
using LlmShearing.Evaluation;
using LlmShearing.Testing;
using LlmShearing.Testing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Tests;

public sealed class TrainerTests : IDisposable
{
    private readonly RunBench _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void Run_TinyModel_LearnsAndRecordsEveryStep()
    {
        TrainingResult result = _run.Start(RunBench.Options with { Steps = 20, CheckpointEvery = 0 });
        Assert.Equal((TrainingStop.Completed, 20L, 0L, 0L), (result.Stop, result.Step, result.ResumedAt, result.SkippedSteps));
        Assert.Equal(20 * 2 * 16, result.Tokens);
        JsonObject[] lines = [.. _run.Files.Log().Select(l => JsonNode.Parse(l)!.AsObject())];
        JsonObject[] steps = [.. lines.Where(l => (string)l["kind"]! == "step")], evaluations = [.. lines.Where(l => (string)l["kind"]! == "evaluation")];
        Assert.Equal(Enumerable.Range(1, 20), steps.Select(l => (int)l["step"]!));
        Assert.Equal(Enumerable.Range(0, 11).Select(i => 2 * i), evaluations.Select(l => (int)l["step"]!));
        Assert.Equal(result.Loss, (double)steps[^1]["loss"]!);
        Assert.Equal(result.Evaluation!.Loss, (double)evaluations[^1]["loss"]!);
        Assert.True((double)evaluations[^1]["loss"]! < (double)evaluations[0]["loss"]! - 0.3, "the loss did not fall");
        Assert.Equal(["matrices", "vectors"], steps[0]["learning_rate"]!.AsObject().Select(p => p.Key));
        Assert.NotEqual(0.5, (double)evaluations[0]["proportions"]!["low"]!);
    }

    [Fact]
    public void Run_Mixture_IsInLogTensorBoardCheckpointAndResult()
    {
        TrainingResult result = _run.Start(RunBench.Options with { Steps = 4 });
        JsonObject[] evaluations = [.. _run.Files.Log().Select(l => JsonNode.Parse(l)!.AsObject()).Where(l => (string)l["kind"]! == "evaluation")];
        Assert.Equal([0, 4, 8], evaluations.Select(l => (long)l["drawn"]!["low"]! + (long)l["drawn"]!["high"]!));
        Assert.Equal(result.Proportions!["low"], (double)evaluations[^1]["proportions"]!["low"]!);
        Assert.Equal(result.Drawn!["low"], (long)evaluations[^1]["drawn"]!["low"]!);
        Assert.NotEqual((double)evaluations[0]["proportions"]!["low"]!, result.Proportions["low"]);
        Assert.Equal(result.Proportions["low"], TrainingCheckpoint.Last(_run.Run).Proportions!["low"]);
        IReadOnlyList<TensorBoardEvent> events = EventFile.Read(Directory.EnumerateFiles(_run.Run, "*tfevents*", SearchOption.AllDirectories).Single());
        Assert.Equal([2, 4], events.Where(e => e.Values.Any(v => v.Tag == "drawn/low")).Select(e => e.Step));
        Assert.Equal((float)(result.Drawn["low"] / 8.0), (float)events[^1].Values.Single(v => v.Tag == "drawn/low").Value!.Value);
        Assert.Equal((float)result.Proportions["low"], (float)events[^1].Values.Single(v => v.Tag == "proportion/low").Value!.Value);

        // Nothing is left to do; the answer is the same.
        TrainingResult again = _run.Start(RunBench.Options with { Steps = 4 });
        Assert.Equal(result.Proportions, again.Proportions);
        Assert.Equal(result.Drawn, again.Drawn);
    }

    [Fact]
    public void Run_Evaluation_IsTheMeanOverTokensOfEachSetAndOfAll()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 5);
        int[][] Rows(int set) => [.. ScriptedData.Evaluation()[set].Batches.SelectMany(b => Enumerable.Range(0, b.Tokens.BatchSize).Select(r => b.Tokens.Ids.Slice(r * b.Tokens.SequenceLength, b.Tokens.SequenceLength).ToArray()))];
        double Mean(params int[][] rows) => new PerplexityEvaluator().Evaluate(model, rows, PerplexityProtocol.Rows).MeanNll;
        _run.StopAfter(1);
        EvaluationLosses losses = TrainingCheckpoint.Last(_run.Run).Evaluation!;
        Assert.Equal(Mean(Rows(0)), losses.Sets["low"], 1e-6);
        Assert.Equal(Mean(Rows(1)), losses.Sets["high"], 1e-6);
        Assert.Equal(Mean([.. Rows(0), .. Rows(1)]), losses.Loss, 1e-6);
        Assert.Equal((2 * 7) + 4 + (2 * 7), losses.Tokens);
    }

    [Fact]
    public void Run_DataEnd_StopsAtTheLastWholeStep()
    {
        _run.Data = () => new ScriptedData(batches: 7);
        TrainingResult result = _run.Start();
        Assert.Equal((TrainingStop.EndOfData, 3L), (result.Stop, result.Step));
        Assert.Contains("used up", result.Message);
        Assert.Equal(3, result.Evaluation!.Step);
        byte[] weights = _run.Files.FileOf(3, "weights.safetensors");
        TrainingResult again = _run.Start();
        Assert.Equal((TrainingStop.EndOfData, 3L, 3L), (again.Stop, again.Step, again.ResumedAt));
        Assert.Equal(weights, _run.Files.FileOf(3, "weights.safetensors"));

        // The seventh micro-batch was not used: with more data it is the first of step 4.
        _run.Data = () => new ScriptedData();
        _run.Start(RunBench.Options with { Steps = 7 });
        Assert.Equal(14, (int)JsonNode.Parse(_run.Files.StateOf(7))!["data"]!["next"]!);
    }

    [Fact]
    public void Run_NoGain_StopsEarlyAndKeepsTheBest()
    {
        // A rate so high that the loss only rises.
        TrainingRunOptions options = RunBench.Options with { Steps = 50, EarlyStopPatience = 3, KeepLast = 1, CheckpointEvery = 1, Optimizer = new OptimizerSettings { LearningRate = 3 } };
        TrainingResult result = _run.Start(options);
        Assert.Equal(TrainingStop.EarlyStopped, result.Stop);
        Assert.Equal(result.Best!.Step + 6, result.Step);
        Assert.Equal([$"step-{result.Best.Step:d8}", $"step-{result.Step:d8}"], _run.Files.Names());
        Assert.Equal(result.Best.Step, TrainingCheckpoint.Best(_run.Run).Step);
        Assert.Equal(result.Step, TrainingCheckpoint.Last(_run.Run).Step);
        TrainingResult again = _run.Start(options);
        Assert.Equal((TrainingStop.EarlyStopped, result.Step, result.Step), (again.Stop, again.Step, again.ResumedAt));
    }

    [Fact]
    public void Run_CheckpointInterval_StoresByTheClock()
    {
        _run.Start(RunBench.Options with { CheckpointEvery = 0, CheckpointInterval = TimeSpan.FromTicks(1), KeepLast = 100, KeepBest = false });
        Assert.Equal(8, _run.Files.Names().Length);
    }

    [Fact]
    public void LoadWeights_OfACheckpoint_GivesItsWeights()
    {
        _run.Start(RunBench.Options with { KeepLast = 3 });
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 99);
        using var trainable = new FullModel(model);
        TrainingCheckpoint.Last(_run.Run).LoadWeights(trainable);
        Assert.All(model.NamedWeights(), w => Assert.Equal(_run.Weights![w.Name], w.Weight.bytes.ToArray()));
        using LlamaModel other = TinyLlama.Create(TinyLlama.Config(layers: 3), seed: 99);
        using var wrong = new FullModel(other);
        Assert.Contains("has no 'model.layers.2", Assert.Throws<TrainingException>(() => TrainingCheckpoint.Last(_run.Run).LoadWeights(wrong)).Message);
        File.WriteAllBytes(Path.Combine(TrainingCheckpoint.Last(_run.Run).Folder, "weights.safetensors"), [1, 2, 3]);
        Assert.Contains("damaged", Assert.Throws<TrainingException>(() => TrainingCheckpoint.Last(_run.Run).LoadWeights(trainable)).Message);
    }

    [Fact]
    public void Run_OptionsThatContradict_AreAllNamedBeforeAnythingIsMade()
    {
        _run.Evaluation = null;
        string message = Assert.Throws<TrainingException>(() => _run.Start(RunBench.Options with
        {
            Steps = 0,
            GradientAccumulation = 0,
            KeepLast = 0,
            CheckpointInterval = TimeSpan.Zero,
            Optimizer = new OptimizerSettings { LearningRate = -1, Beta1 = 1 },
            EarlyStopPatience = 1,
            EvaluateEvery = 0,
        })).Message;
        foreach (string name in new[] { "Steps", "GradientAccumulation", "KeepLast", "CheckpointInterval", "LearningRate", "Beta1", "EvaluateFirst", "KeepBest", "EarlyStopPatience" })
            Assert.Contains(name, message);
        Assert.False(Directory.Exists(_run.Run));
    }

    [Fact]
    public void Run_EvaluationSetsWithoutNameOrTokens_AreRefused()
    {
        _run.Evaluation = [ScriptedData.Evaluation()[0], ScriptedData.Evaluation()[0]];
        Assert.Contains("'low'", Assert.Throws<TrainingException>(() => _run.Start()).Message);
        _run.Evaluation = [new EvaluationSet("empty", [])];
        Assert.Contains("'empty' has no token", Assert.Throws<TrainingException>(() => _run.Start()).Message);
    }

    [Fact]
    public void Run_FolderOfSomethingElse_IsRefused()
    {
        Directory.CreateDirectory(_run.Run);
        File.WriteAllText(Path.Combine(_run.Run, "thesis.txt"), "precious");
        Assert.Contains("no run folder", Assert.Throws<TrainingException>(() => _run.Start()).Message);
        Assert.Single(Directory.GetFileSystemEntries(_run.Run));
    }

    [Fact]
    public void Run_FolderInUse_IsRefused()
    {
        string? message = null;
        _run.Start(progress: p =>
        {
            if (p.Stage == "training" && p.Completed == 2)
                message = Assert.Throws<TrainingException>(() => new Trainer().Run(new Unused(), new ScriptedData(), RunBench.Options with { KeepBest = false, EvaluateFirst = false, EvaluateEvery = 0 }, _run.Run)).Message;
        });
        Assert.Contains("in use", message);
        Assert.Contains("run.lock", message);
    }

    [Fact]
    public void Run_Progress_HasLossSpeedAndMemory()
    {
        var seen = new List<ShearingProgress>();
        _run.Start(progress: seen.Add);
        ShearingProgress last = seen.Last(p => p.Stage == "training");
        Assert.Equal((7, 7, "steps"), (last.Completed, last.Total, last.Unit));
        Assert.Matches(@"^loss \d+(\.\d+)?, \d+ tokens/s, \d+(\.\d+)? GB resident$", last.Detail);
        Assert.Contains(seen, p => p.Stage == "evaluation" && p.Detail == "high");
    }

    [Fact]
    public void Run_RunFolder_DescribesTheRun()
    {
        _run.Start();
        JsonObject run = JsonNode.Parse(File.ReadAllText(Path.Combine(_run.Run, "run.json")))!.AsObject();
        Assert.Equal("0.01", run["configuration"]!["options"]!["Optimizer"]!["LearningRate"]!.ToJsonString());
        Assert.Equal("all weights", (string)run["configuration"]!["trainable"]!["trains"]!);
        Assert.Equal(1, (int)run["configuration"]!["data"]!["seed"]!);
        Assert.Equal(TorchSharp.torch.get_num_threads(), (int)run["threads"]!);
        Assert.Equal(3, (int)run["storage"]!["CheckpointEvery"]!);
        Assert.Single(Directory.GetFiles(Path.Combine(_run.Run, "tensorboard")));
    }

    private sealed class Unused : ITrainable
    {
        private readonly LlamaModel _model = TinyLlama.Create();

        public LlamaModel Model => _model;

        public IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options) => ParameterGroup.Split(_model.NamedWeights().Select(w => new TrainableParameter(w.Name, w.Weight)), options);

        public IDisposable BeginEvaluation() => throw new NotSupportedException();

        public JsonObject Describe() => [];

        public void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default) => throw new NotSupportedException();
    }
}
