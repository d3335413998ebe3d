using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Devices;
using LlmShearing.Files;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using LlmShearing.Training.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmShearing.Training.Runs;

/// <summary>
/// Trains, and can be stopped or killed at any moment: the same call on the same folder goes on from the last checkpoint, bit for bit as if nothing
/// had happened (same machine, same number of threads). Holds no state between calls. Works without a container.
/// </summary>
public sealed class Trainer
{
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly IMeterFactory? _meters;

    /// <summary>Creates a trainer.</summary>
    /// <param name="logger">Receives evaluations, checkpoints and warnings; null = nothing.</param>
    /// <param name="timeProvider">Clock; null = the system's.</param>
    /// <param name="meterFactory">Makes the meter "LlmShearing"; null = one of its own.</param>
    public Trainer(ILogger<Trainer>? logger = null, TimeProvider? timeProvider = null, IMeterFactory? meterFactory = null) =>
        (_logger, _time, _meters) = (logger ?? (ILogger)NullLogger.Instance, timeProvider ?? TimeProvider.System, meterFactory);

    internal OutputFiles Files { get; init; } = OutputFiles.Default;

    /// <summary>
    /// Begins a run, or goes on with the one in the folder. A step is: micro-batches, gradients, clipping, optimizer; then evaluation when it is due,
    /// the data's mixture, and a checkpoint when that is due, in this order (LLM-Shearing, Composer's event order).
    /// </summary>
    /// <param name="trainable">What is trained. Its weights are those of the last step afterwards.</param>
    /// <param name="data">Training data at their beginning; a resumed run moves them to its place.</param>
    /// <param name="options">Settings.</param>
    /// <param name="runFolder">Folder of the run: run.json, log.jsonl, checkpoints/, tensorboard/. Created when absent. One run at a time may use it.</param>
    /// <param name="evaluation">Held-out data by domain; null = no evaluation. Also evaluated at the end of the run.</param>
    /// <param name="objective">What is minimised; null = cross entropy.</param>
    /// <param name="allowedChanges">Settings that may differ from those the run was begun with, for example "Steps", "Optimizer.LearningRate" or "data"; null = none.</param>
    /// <param name="progress">Receives every step and evaluation batch; may be null.</param>
    /// <param name="cancellationToken">The step at work is finished and a checkpoint written; the result says Interrupted.</param>
    /// <returns>Why it stopped, losses, counts.</returns>
    /// <exception cref="TrainingException">An option is out of range; a parameter of the objective has another's name; the folder is in use or belongs to another configuration; a loss is not finite; a checkpoint
    /// cannot be written or none can be read.</exception>
    /// <exception cref="TokenDataException">The data are damaged or do not fit the model.</exception>
    public TrainingResult Run(
        ITrainable trainable,
        ITrainingData data,
        TrainingRunOptions options,
        string runFolder,
        IReadOnlyList<EvaluationSet>? evaluation = null,
        ITrainingObjective? objective = null,
        IReadOnlyCollection<string>? allowedChanges = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(trainable);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(runFolder);
        trainable.Model.EnsureAlive();
        IReadOnlyList<EvaluationSet> sets = evaluation ?? [];
        options.Validate(hasEvaluation: sets.Count > 0);
        CheckNames(sets);
        IReadOnlyList<ParameterGroup> groups =
        [
            .. trainable.Groups(options.Optimizer),
            .. ParameterGroup.Split(objective?.Parameters ?? [], options.Optimizer).Select(g => g with { Name = TrainableWeights.ObjectivePrefix + g.Name }),
        ];
        _ = TrainableWeights.Of(groups);
        if (objective?.Parameters.FirstOrDefault(p => !p.Name.StartsWith(TrainableWeights.ObjectivePrefix, StringComparison.Ordinal)) is { } misnamed)
            throw new TrainingException($"The objective's parameter '{misnamed.Name}' must have a name that begins with '{TrainableWeights.ObjectivePrefix}': checkpoints tell it from the weights by that.");
        using RunFolder folder = RunFolder.Open(runFolder);
        using var optimizer = new AdamWOptimizer(groups);
        using var meters = new TrainingMeters(_meters);
        var checkpoints = new CheckpointStore(folder.Path, Files);
        JsonObject configuration = RunConfiguration.Create(trainable, data, options, sets, objective);

        var warnings = new List<string>();
        var resumption = new RunResumption(checkpoints, folder.Path);
        TrainingState? resumed = resumption.Find();
        if (resumed is not null)
        {
            RunConfiguration.Check(resumed.Configuration, configuration, allowedChanges ?? [], folder.Path);
            warnings.AddRange(resumption.Apply(resumed, groups, optimizer, data));
        }

        int threads = TorchSharp.torch.get_num_threads();
        string device = ComputeDevice.NameOf(trainable.Model.Device);
        JsonObject? before = folder.Describe(RunConfiguration.Report(options, configuration, threads, device));
        foreach ((string what, string now) in new[] { ("threads", threads.ToString(CultureInfo.InvariantCulture)), ("device", device) })
            if (resumed is not null && before?[what]?.ToString() is { } old && old != now)
                warnings.Add($"The run was last started with {what} {old} and now has {what} {now}: it goes on, but rounding may differ from an uninterrupted run.");
        using RunLog log = RunLog.Open(folder.Path, resumed?.Step, out bool incomplete);
        if (incomplete)
            warnings.Add($"'{RunLog.FileName}' does not reach the checkpoint at step {resumed!.Step}: the earlier part of the curve is missing.");
        foreach (string warning in warnings)
            TrainingLog.TrainingWarning(_logger, warning);
        bool hasCurves = Directory.Exists(folder.TensorBoard);
        using TensorBoardWriter board = TensorBoardWriter.Create(folder.TensorBoard, _time);
        if (hasCurves)
            board.Restart(resumed is null ? 0 : resumed.Step + 1);
        TrainingLog.TrainingBegins(_logger, folder.Path, resumed?.Step ?? 0, options.Steps);

        var step = new TrainingStep(trainable, options.Step, objective);
        var parts = new RunParts(
            trainable, data, options, sets, groups, step, optimizer, LearningRateSchedule.Of(options.Optimizer, options.Steps),
            checkpoints, new RunRecorder(log, board, meters, _time), configuration);
        TrainingResult result = new TrainingLoop(parts, resumed, _logger, _time, progress).Run(warnings, cancellationToken);
        TrainingLog.TrainingEnds(_logger, result.Message);
        return result;
    }

    private static void CheckNames(IReadOnlyList<EvaluationSet> sets)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (EvaluationSet set in sets)
            if (set.Name is null or "" || set.Batches is null || !names.Add(set.Name))
                throw new TrainingException($"Evaluation sets need a name of their own and batches; '{set.Name}' is empty, there twice, or has none.");
    }
}
