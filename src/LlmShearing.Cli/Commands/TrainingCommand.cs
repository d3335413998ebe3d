// What `train` and `tune` share: data, settings, the run folder, a dry run, and the result.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Model;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Cli.Commands;

/// <summary>What one training verb trains; disposing frees it.</summary>
internal interface ITrainingSubject : IDisposable
{
    ITrainable Trainable { get; }

    ITrainingObjective? Objective { get; }
}

internal abstract class TrainingCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly TrainingDataOptions _data = new();
    private readonly Option<string?> _out = Opt.Text("--out", "FOLDER", "Where the result goes; it must not exist, unless --force.");
    private readonly Option<bool> _force = Opt.Flag("--force", "Replace --out when it exists.");
    private readonly Option<bool> _best = Opt.Flag("--export-best", "Write the weights of the best evaluation instead of the last ones. Needs --held-out.");

    protected TrainingCommand(Surroundings surroundings, TrainingOptions training, string name, string description, params string[] examples)
        : base(surroundings, name, description, examples)
    {
        Training = training;
    }

    protected TrainingOptions Training { get; }

    protected void AddTrainingOptions(params Option[] own)
    {
        Arguments.Add(_model.Folder);
        AddOptions(_out, _force, _best);
        AddOptions(_data.All);
        AddOptions(own);
        AddOptions(Training.All);
        AddConfigOption();
        AddCommonOptions();
    }

    /// <summary>Loads the model and makes ready what is trained. Options are checked before by <see cref="Check"/>.</summary>
    protected abstract ITrainingSubject Open(Invocation run, string model, TrainingRunOptions options);

    /// <summary>Changes settings that this verb decides.</summary>
    protected virtual TrainingRunOptions Adjust(Invocation run, TrainingRunOptions options) => options;

    /// <summary>Called before the result is written: what else belongs to the run, and whether the result may be written at all.</summary>
    /// <returns>More to say about the result, or null.</returns>
    protected virtual JsonObject? Finish(Invocation run, ITrainingSubject subject, TrainingResult result, string folder) => null;

    protected bool ExportsBest(Invocation run) => run.Get(_best);

    /// <summary>Where and in which type is trained; known once the command runs.</summary>
    protected Compute Compute { get; private set; } = null!;

    protected Argument<string> ModelArgument => _model.Folder;

    /// <summary>Checks the verb's own options before anything is loaded.</summary>
    protected virtual void Check(Invocation run)
    {
    }

    protected sealed override void Execute(Invocation run)
    {
        string model = run.Get(_model.Folder);
        LlamaConfig config = ModelFolder.Config(model);
        bool dry = run.Get(Training.DryRun);
        using ModelOutput? output = dry ? null : Output(run);
        Check(run);
        if (!_data.IsGiven(run))
            throw new UsageException("There is nothing to train on. Give --data with token rows from 'shear tokenize', --file with text, or --instructions.");
        if (run.Get(_best) && run.Get(_data.HeldOut) is null)
            throw new UsageException("--export-best needs --held-out, which says what is best.");
        int micro = Training.Micro(run);
        _ = Training.Accumulation(run);
        string? folder = run.Get(Training.Run) ?? (output is null ? null : Path.TrimEndingDirectorySeparator(output.Folder) + ".run");
        // A result that is there can only be that of a run that is finished.
        if (output is { IsCheck: true } && !Directory.Exists(folder))
            throw ModelOutput.Taken(output.Folder, "");
        Compute = Training.Compute.ReadForTraining(run, folder);
        using TrainingInput input = _data.Open(run, model, micro, run.Get(Training.Seed)!.Value);
        long steps = Training.StepsOf(run, input.Data.BatchesPerEpoch, input.RowLength, 1);
        TrainingRunOptions options = Adjust(run, Training.Read(run, steps, input.HeldOut.Count > 0));
        run.Note(TrainingReport.Settings(config, options, input, micro));
        string? tooLong = TrainedLength.Problem(config, input.RowLength, TrainingResult.LongRows);
        if (tooLong is not null)
            run.Note(tooLong);
        using ITrainingSubject subject = Open(run, model, options);
        if (dry)
        {
            TrainingEstimateReport estimate = DryRun.Measure(run, subject, input, options, micro, Compute.Device.type is not (TorchSharp.DeviceType.CUDA or TorchSharp.DeviceType.MPS));
            run.Result(estimate.Json, estimate.Print);
            return;
        }

        long start = run.Surroundings.Time.GetTimestamp();
        TrainingResult result = new Trainer(timeProvider: run.Surroundings.Time).Run(
            subject.Trainable, input.Data, options, folder!, input.HeldOut, subject.Objective, run.Get(Training.AllowChange), run.Progress, output!.IsCheck ? new CancellationToken(canceled: true) : run.Cancellation);
        foreach (string warning in result.Warnings.Where(w => w != tooLong))
            run.Note(warning);
        JsonObject? details = null;
        bool finished = result.Stop != TrainingStop.Interrupted;
        if (!finished && output.IsCheck)
            throw ModelOutput.Taken(output.Folder, $", but the run in '{folder}' is not finished");
        if (finished)
        {
            if (run.Get(_best))
                TrainingCheckpoint.Best(folder!).LoadWeights(subject.Trainable);
            details = Finish(run, subject, result, folder!);
            subject.Trainable.Export(output.Path, run.Get(_force), CancellationToken.None);
            output.Finish(run);
        }

        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        TrainingReport report = new(result, folder!, finished ? output.Folder : null, seconds) { Details = details };
        run.Result(report.Json, report.Print);
    }

    /// <summary>File that every result of this verb has.</summary>
    protected virtual string Marker => "config.json";

    private ModelOutput Output(Invocation run)
    {
        string folder = run.Get(_out) ?? throw new UsageException("Nothing says where the result goes. Give --out FOLDER.");
        return ModelOutput.Open(folder, run.Get(_force), Marker);
    }
}
