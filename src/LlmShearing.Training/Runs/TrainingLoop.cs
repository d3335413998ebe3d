// The loop of a run. Between two steps it stands at a boundary, where everything about it is in a TrainingState: what is due there (evaluation,
// checkpoint, end) follows from that state alone, so that a run that is taken up again does what it would have done.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Support;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using LlmShearing.Training.Telemetry;
using Microsoft.Extensions.Logging;

namespace LlmShearing.Training.Runs;

/// <summary>What a run works with.</summary>
internal sealed record RunParts(
    ITrainable Trainable,
    ITrainingData Data,
    TrainingRunOptions Options,
    IReadOnlyList<EvaluationSet> Evaluation,
    IReadOnlyList<ParameterGroup> Groups,
    TrainingStep Step,
    AdamWOptimizer Optimizer,
    LearningRateSchedule Schedule,
    CheckpointStore Checkpoints,
    RunRecorder Recorder,
    JsonObject Configuration);

internal sealed class TrainingLoop
{
    private readonly RunParts _run;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly IProgress<ShearingProgress>? _progress;
    private readonly long _started, _resumedAt;
    private readonly double _elapsedBefore;
    private TrainingState _state;
    private long _lastCheckpointTime;
    private long? _stored;
    private bool _worked;
    private string? _beyond;

    public TrainingLoop(RunParts run, TrainingState? resumed, ILogger logger, TimeProvider time, IProgress<ShearingProgress>? progress)
    {
        (_run, _logger, _time, _progress) = (run, logger, time, progress);
        _state = resumed is null ? Fresh(run) : resumed with { Configuration = run.Configuration, Library = LibraryVersion.Text };
        (_stored, _resumedAt, _elapsedBefore) = (resumed?.Step, _state.Step, _state.ElapsedSeconds);
        _lastCheckpointTime = _started = time.GetTimestamp();
    }

    public TrainingResult Run(IReadOnlyList<string> warnings, CancellationToken cancellationToken)
    {
        bool dataEnded = false;
        while (true)
        {
            TrainingStop? stop = Boundary(ref dataEnded, cancellationToken);
            if (stop is { } reason)
                return Result(reason, warnings);
            try
            {
                if (TakeMicroBatches(cancellationToken) is { } microBatches)
                {
                    Advance(microBatches);
                    continue;
                }

                dataEnded = true;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // While waiting for data; the boundary says that the run is interrupted.
            }

            // Micro-batches of a step that was not made are given back.
            _run.Data.Restore(_state.Data);
        }
    }

    // Evaluation, then checkpoint, so that checkpoints contain the mixture after the evaluation.
    private TrainingStop? Boundary(ref bool dataEnded, CancellationToken cancellationToken)
    {
        TrainingStop? stop = Stop(dataEnded);
        bool evaluated = false;
        try
        {
            if (EvaluationDue(stop))
            {
                Evaluate(cancellationToken);
                evaluated = true;
                stop ??= Stop(dataEnded);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // It is done first thing when the run goes on.
            stop = null;
        }

        if (stop is null && cancellationToken.IsCancellationRequested)
            stop = TrainingStop.Interrupted;
        bool isNewBest = evaluated && _run.Options.KeepBest && _state.Best?.Step == _state.Step;
        if (_stored == _state.Step ? evaluated : stop is not null || isNewBest || CheckpointDue())
            Store();
        return stop;
    }

    private TrainingStop? Stop(bool dataEnded)
    {
        if (_state.Step >= _run.Options.Steps)
            return TrainingStop.Completed;
        if (_run.Options.EarlyStopPatience > 0 && _state.EvaluationsWithoutGain >= _run.Options.EarlyStopPatience)
            return TrainingStop.EarlyStopped;
        return dataEnded ? TrainingStop.EndOfData : null;
    }

    private bool EvaluationDue(TrainingStop? stop)
    {
        if (_run.Evaluation.Count == 0 || _state.Evaluation?.Step == _state.Step)
            return false;
        if (_state.Step == 0)
            return _run.Options.EvaluateFirst;
        return stop is not null || (_run.Options.EvaluateEvery > 0 && _state.Step % _run.Options.EvaluateEvery == 0);
    }

    private bool CheckpointDue() =>
        (_run.Options.CheckpointEvery > 0 && _state.Step > 0 && _state.Step % _run.Options.CheckpointEvery == 0)
        || (_run.Options.CheckpointInterval is { } interval && _time.GetElapsedTime(_lastCheckpointTime) >= interval);

    // Null at the end of the data; a step that would be incomplete is not made.
    private List<TrainingBatch>? TakeMicroBatches(CancellationToken cancellationToken)
    {
        var batches = new List<TrainingBatch>(_run.Options.GradientAccumulation);
        while (batches.Count < _run.Options.GradientAccumulation)
        {
            if (_run.Data.NextBatch(cancellationToken) is not { } batch)
                return null;
            if (_beyond is null && (_beyond = TrainedLength.Problem(_run.Trainable.Model.Config, batch.Tokens.SequenceLength, TrainingResult.LongRows)) is not null)
                TrainingLog.TrainingWarning(_logger, _beyond);
            batches.Add(batch);
        }

        return batches;
    }

    private void Advance(List<TrainingBatch> microBatches)
    {
        _worked = true;
        using Activity? activity = TrainingMeters.Activities.StartActivity("training step");
        long start = _time.GetTimestamp();
        long step = _state.Step;
        IReadOnlyList<double> rates = _run.Schedule.Rates(_run.Groups, step);
        StepLosses losses = _run.Step.Compute(microBatches, step, _run.Options.Seed, CancellationToken.None);
        double norm = _run.Optimizer.GradientNorm(_run.Options.Optimizer.ClipBy);
        bool skip = !double.IsFinite(losses.Loss) || !double.IsFinite(norm);
        if (skip)
            Refuse(losses.Loss, norm, microBatches);
        else
            _run.Optimizer.Step(rates, AdamWOptimizer.ClipScale(norm, _run.Options.Optimizer.ClipNorm));
        _run.Optimizer.ZeroGradients();
        _state = _state with
        {
            Step = step + 1,
            Tokens = _state.Tokens + losses.Tokens,
            ScoredTokens = _state.ScoredTokens + losses.ScoredTokens,
            SkippedSteps = _state.SkippedSteps + (skip ? 1 : 0),
            ConsecutiveSkips = skip ? _state.ConsecutiveSkips + 1 : 0,
            Loss = skip ? _state.Loss : losses.Loss,
            Data = _run.Data.Save(),
        };
        TimeSpan duration = _time.GetElapsedTime(start);
        (string, double)[] named = [.. _run.Groups.Select((g, i) => (g.Name, rates[i]))];
        bool logged = _state.Step % _run.Options.LogEvery == 0 || _state.Step == _run.Options.Steps;
        _run.Recorder.Step(new StepRecord(_state.Step, losses.Loss, losses.Parts, norm, named, losses.Tokens, _state.Tokens, skip, duration) { Metrics = _run.Trainable.Metrics() }, logged);
        double speed = losses.Tokens / Math.Max(duration.TotalSeconds, 1e-9);
        Report("training", _state.Step, _run.Options.Steps, "steps", string.Create(
            CultureInfo.InvariantCulture, $"loss {losses.Loss:0.####}, {speed:0} tokens/s, {Environment.WorkingSet / 1e9:0.##} GB resident"));
    }

    private void Refuse(double loss, double norm, List<TrainingBatch> microBatches)
    {
        string sources = string.Join("; ", microBatches.Select((b, i) => b.Source.Length > 0 ? b.Source : $"micro-batch {i}"));
        string what = $"Step {_state.Step + 1}: the loss is {loss.ToString(CultureInfo.InvariantCulture)} and the gradient norm {norm.ToString(CultureInfo.InvariantCulture)}, from {sources}.";
        if (_run.Options.NonFinite == NonFinitePolicy.Skip && _state.ConsecutiveSkips < _run.Options.MaxConsecutiveSkips)
        {
            TrainingLog.StepSkipped(_logger, what);
            return;
        }

        _run.Optimizer.ZeroGradients();
        string skipped = _state.ConsecutiveSkips > 0 ? $" The {_state.ConsecutiveSkips} steps before were left out already." : "";
        throw new TrainingException(
            $"{what}{skipped} The weights have been left as they were after step {_state.Step}; {LastCheckpoint()} "
            + "Lower the learning rate, lengthen the warm-up, look at these data, use float32, or let such steps be left out (NonFinite = Skip).");
    }

    private string LastCheckpoint() => _stored is { } step
        ? $"the last checkpoint is '{_run.Checkpoints.PathOf(step)}'."
        : "there is no checkpoint yet.";

    private void Evaluate(CancellationToken cancellationToken)
    {
        _worked = true;
        using Activity? activity = TrainingMeters.Activities.StartActivity("training evaluation");
        EvaluationLosses losses = TrainingEvaluator.Run(
            _run.Trainable, _run.Evaluation, _state.Step, _run.Options.Seed, (set, n) => Report("evaluation", n, 0, "batches", set), cancellationToken);
        _run.Data.Update(losses.Sets);
        bool isBest = _state.Best is null || losses.Loss < _state.Best.Loss;
        _state = _state with
        {
            Evaluation = losses,
            Best = isBest ? losses : _state.Best,
            EvaluationsWithoutGain = isBest ? 0 : _state.EvaluationsWithoutGain + 1,
            Data = _run.Data.Save(),
        };
        _run.Recorder.Evaluation(losses, new DomainRecord(_run.Data.Proportions, _run.Data.Drawn), _run.Trainable.Distributions());
        TrainingLog.TrainingEvaluated(_logger, losses.Step, losses.Loss);
    }

    private void Store()
    {
        using Activity? activity = TrainingMeters.Activities.StartActivity("training checkpoint");
        _state = _state with
        {
            ElapsedSeconds = _elapsedBefore + _time.GetElapsedTime(_started).TotalSeconds,
            OptimizerSteps = _run.Optimizer.StepCounts,
            Proportions = _run.Data.Proportions,
        };
        try
        {
            _run.Recorder.FlushToDisk();
            _run.Checkpoints.Write(new CheckpointContent(_state, TrainableWeights.Of(_run.Groups), NamedTensor.List(_run.Optimizer.State)));
        }
        catch (Exception e) when (e is CheckpointException or TrainingException)
        {
            throw new TrainingException($"The checkpoint of step {_state.Step} could not be written: {e.Message} {Capitalise(LastCheckpoint())} Make room, then start the run again: it goes on from there.", e);
        }

        (_stored, _lastCheckpointTime) = (_state.Step, _time.GetTimestamp());
        TrainingLog.CheckpointWritten(_logger, _state.Step, _run.Checkpoints.PathOf(_state.Step));
        try
        {
            _run.Checkpoints.Prune(_run.Options.KeepLast, _run.Options.KeepBest ? _state.Best?.Step : null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TrainingLog.CheckpointsNotPruned(_logger, _run.Checkpoints.Folder, e);
        }
    }

    private TrainingResult Result(TrainingStop stop, IReadOnlyList<string> warnings)
    {
        string done = $"{_state.Step} of {_run.Options.Steps} steps";
        return new TrainingResult
        {
            Stop = stop,
            Step = _state.Step,
            ResumedAt = _resumedAt,
            Loss = _state.Loss,
            Evaluation = _state.Evaluation,
            Best = _state.Best,
            Tokens = _state.Tokens,
            SkippedSteps = _state.SkippedSteps,
            Proportions = _run.Data.Proportions,
            Drawn = _run.Data.Drawn,
            Warnings = _beyond is null ? warnings : [.. warnings, _beyond],
            Message = stop switch
            {
                TrainingStop.Completed when !_worked => $"The run was finished already: {done}. Give more steps (and allow that change), or a new folder.",
                TrainingStop.Completed => $"Finished: {done}.",
                TrainingStop.EarlyStopped => $"Stopped after {done}: the last {_state.EvaluationsWithoutGain} evaluations brought no loss below {_state.Best!.Loss:0.####} of step {_state.Best.Step}.",
                TrainingStop.EndOfData => $"Stopped after {done}: the data are used up.",
                _ => $"Interrupted after {done}; the checkpoint is '{_run.Checkpoints.PathOf(_state.Step)}'. Start the same run again to go on.",
            },
        };
    }

    private void Report(string stage, long completed, long total, string unit, string detail) =>
        _progress?.Report(new ShearingProgress(stage, completed, total, unit) { Detail = detail });

    private static string Capitalise(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static TrainingState Fresh(RunParts run) => new()
    {
        Format = TrainingState.CurrentFormat,
        Library = LibraryVersion.Text,
        Step = 0,
        Tokens = 0,
        ScoredTokens = 0,
        SkippedSteps = 0,
        ConsecutiveSkips = 0,
        Loss = null,
        Evaluation = null,
        Best = null,
        EvaluationsWithoutGain = 0,
        ElapsedSeconds = 0,
        OptimizerSteps = new SortedDictionary<string, long>(StringComparer.Ordinal),
        Data = run.Data.Save(),
        Configuration = run.Configuration,
    };
}
