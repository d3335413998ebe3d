// How long, how fast and how often: the settings that `train` and `tune` share.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Cli.Options;

internal sealed class TrainingOptions
{
    /// <summary>Seed where none is given.</summary>
    public const int DefaultSeed = 1234;

    private readonly string _rate;
    private readonly string _schedule;

    /// <param name="rate">Default learning rate as shown in the help.</param>
    /// <param name="schedule">Default schedule.</param>
    /// <param name="warmup">Default warm-up steps.</param>
    /// <param name="batch">Default rows a step.</param>
    /// <param name="beta2">Default decay of Adam's second moment.</param>
    public TrainingOptions(string rate, string schedule, int warmup, int batch, double beta2)
    {
        (_rate, _schedule) = (rate, schedule);
        Beta2 = Opt.Number("--beta2", "B", "Decay of Adam's second moment.", v => v is >= 0 and < 1, "a number from 0 to below 1", beta2);
        Rate = Opt.Number("--lr", "R", $"Peak learning rate. [default: {rate}]", v => v is > 0 and < 1e6, "a number above 0 and below 1000000");
        Schedule = Opt.Choice("--schedule", $"Course of the learning rate after the warm-up. [default: {schedule}]", "cosine", "linear", "constant", "composer-cosine");
        Warmup = Opt.Long("--warmup", "N", $"Steps over which the learning rate rises from 0. [default: {warmup}, at most a tenth of the steps]", 0);
        BatchSize = Opt.Int("--batch-size", "B", "Rows of one optimizer step.", 1, batch, maximum: Limits.Rows);
        DefaultWarmup = warmup;
    }

    public Option<string?> Run { get; } = Opt.Text("--run", "FOLDER", "Where checkpoints and logs go; the same command goes on from there. [default: the folder of --out with .run added]");

    public Option<long?> Steps { get; } = Opt.Long("--steps", "N", "Optimizer steps.", 1, maximum: Limits.Steps);

    public Option<long?> Tokens { get; } = Opt.Long("--tokens", "N", "Train on about this many tokens, instead of --steps.", 1, maximum: Limits.Tokens);

    public Option<double?> Epochs { get; } = Opt.Number("--epochs", "E", "Train on the data this many times, instead of --steps.", v => v is > 0 and < 1e6, "a number above 0 and below 1000000");

    public Option<int?> BatchSize { get; }

    public Option<int?> MicroBatch { get; } = Opt.Int("--micro-batch", "B", "Rows that go through the model together; must divide --batch-size.", 1, 4, maximum: Limits.MicroBatch);

    public Option<double?> Rate { get; }

    public Option<string?> Schedule { get; }

    public Option<long?> Warmup { get; }

    public Option<double?> FinalFactor { get; } = Opt.Number("--final-lr", "F", "Learning rate at the end as a share of the peak. [default: 0.1 for cosine, 0 for linear]", v => v is >= 0 and <= 1, "a number from 0 to 1");

    public Option<double?> WeightDecay { get; } = Opt.Number("--weight-decay", "D", "Decoupled weight decay of matrices.", v => v is >= 0 and < 1e6, "a number from 0", 0);

    public Option<double?> Beta2 { get; }

    public Option<double?> Clip { get; } = Opt.Number("--clip", "N", "Largest global norm of the gradients; 0 = no clipping.", v => v is >= 0 and < 1e9, "a number from 0", 1);

    public Option<string?> ClipNorm { get; } = Opt.Choice("--clip-norm", "Which norm --clip limits: the root of the sum of squares, or the largest magnitude. [default: l2]", "l2", "inf");

    public Option<bool> NoRecompute { get; } = Opt.Flag("--no-recompute", "Keep all activations for the backward pass: about a quarter faster, much more memory.");

    public Option<int?> Seed { get; } = Opt.Int("--seed", "S", "Seed of the order of the data and of all other randomness.", 0, DefaultSeed);

    public ComputeOptions Compute { get; } = new(ComputeType.Auto, " Below float32 the optimizer keeps float32 weights. A run goes on in the type that it was begun with.");

    public Option<long?> EvaluateEvery { get; } = Opt.Long("--eval-every", "N", "Evaluate on --held-out after every N steps, and before the first. [default: ten times in the run]", 1);

    public Option<long?> CheckpointEvery { get; } = Opt.Long("--checkpoint-every", "N", "Write a checkpoint after every N steps. [default: ten times in the run]", 1);

    public Option<int?> Keep { get; } = Opt.Int("--keep", "N", "Checkpoints to keep, besides the best.", 1, 2);

    public Option<int?> Patience { get; } = Opt.Int("--patience", "N", "Stop after N evaluations without a better loss.", 1);

    public Option<bool> SkipNonFinite { get; } = Opt.Flag("--skip-non-finite", "Leave out steps whose loss or gradient is not finite, instead of stopping.");

    public Option<string[]> AllowChange { get; } = Opt.Texts("--allow-change", "SETTING", "Go on although this setting differs from the run's. May be repeated.");

    public Option<bool> DryRun { get; } = Opt.Flag("--dry-run", "Say what would be done, memory and time (after a few steps that are thrown away), and stop.");

    public int DefaultWarmup { get; }

    public Option[] All =>
    [
        Steps, Tokens, Epochs, BatchSize, MicroBatch, Rate, Schedule, Warmup, FinalFactor, WeightDecay, Beta2, Clip, ClipNorm, NoRecompute, .. Compute.All, Seed,
        Run, CheckpointEvery, Keep, EvaluateEvery, Patience, SkipNonFinite, AllowChange, DryRun,
    ];

    /// <summary>Micro-batches of one step.</summary>
    public int Accumulation(Invocation run)
    {
        int batch = run.Get(BatchSize)!.Value, micro = Micro(run);
        return batch % micro == 0 ? batch / micro
            : throw new UsageException($"--batch-size {batch} is not a multiple of --micro-batch {micro}. Choose a micro-batch that divides it.");
    }

    /// <summary>Rows of one micro-batch; the default gives way to a smaller batch.</summary>
    public int Micro(Invocation run) => run.IsGiven(MicroBatch) ? run.Get(MicroBatch)!.Value : Math.Min(run.Get(MicroBatch)!.Value, run.Get(BatchSize)!.Value);

    /// <summary>Steps of the run, from whichever of the three was given.</summary>
    /// <param name="run">The command.</param>
    /// <param name="batchesPerEpoch">Micro-batches of one pass over the data.</param>
    /// <param name="rowLength">Tokens of a row.</param>
    /// <param name="defaultEpochs">Passes when nothing is said.</param>
    public long StepsOf(Invocation run, long? batchesPerEpoch, int rowLength, double defaultEpochs)
    {
        long count = Wanted(run, batchesPerEpoch, rowLength, defaultEpochs);
        double tokens = (double)count * run.Get(BatchSize)!.Value * rowLength;
        return tokens <= Limits.Tokens ? count
            : throw new UsageException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{count} steps of {run.Get(BatchSize)} rows of {rowLength} tokens are {tokens:G3} tokens; at most {Limits.Tokens} are accepted. Give fewer steps or a smaller --batch-size."));
    }

    private long Wanted(Invocation run, long? batchesPerEpoch, int rowLength, double defaultEpochs)
    {
        int given = (run.Get(Steps) is null ? 0 : 1) + (run.Get(Tokens) is null ? 0 : 1) + (run.Get(Epochs) is null ? 0 : 1);
        if (given > 1)
            throw new UsageException("Give only one of --steps, --tokens and --epochs.");
        if (run.Get(Steps) is { } steps)
            return steps;
        if (run.Get(Tokens) is { } tokens)
            return Math.Max(1, (long)Math.Round(tokens / (double)run.Get(BatchSize)!.Value / rowLength));
        long batches = batchesPerEpoch ?? throw new UsageException("The length of this data is not known. Give --steps.");
        return Math.Max(1, (long)(batches * (run.Get(Epochs) ?? defaultEpochs) / Accumulation(run)));
    }

    private OptimizerSettings Optimizer(Invocation run, long steps)
    {
        ScheduleKind schedule = (run.Get(Schedule) ?? _schedule) switch
        {
            "linear" => ScheduleKind.Linear,
            "constant" => ScheduleKind.Constant,
            "composer-cosine" => ScheduleKind.ComposerCosine,
            _ => ScheduleKind.Cosine,
        };
        long warmup = run.Get(Warmup) ?? Math.Min(DefaultWarmup, steps / 10);
        if (warmup >= steps && steps > 1)
            throw new UsageException($"--warmup {warmup} leaves nothing of the {steps} steps. Give fewer warm-up steps.");
        return new OptimizerSettings
        {
            LearningRate = run.Get(Rate) ?? double.Parse(_rate, System.Globalization.CultureInfo.InvariantCulture),
            Schedule = schedule,
            WarmupSteps = warmup,
            FinalFactor = run.Get(FinalFactor) ?? (schedule == ScheduleKind.Linear ? 0 : 0.1),
            WeightDecay = run.Get(WeightDecay)!.Value,
            Beta2 = run.Get(Beta2)!.Value,
            ClipNorm = run.Get(Clip)!.Value,
            ClipBy = run.Get(ClipNorm) == "inf" ? GradientNorm.Infinity : GradientNorm.L2,
        };
    }

    /// <summary>Everything that the trainer is told.</summary>
    public TrainingRunOptions Read(Invocation run, long steps, bool heldOut) => new()
    {
        Steps = steps,
        GradientAccumulation = Accumulation(run),
        Optimizer = Optimizer(run, steps),
        Step = new TrainingStepOptions { Recompute = !run.Get(NoRecompute) },
        Seed = run.Get(Seed)!.Value,
        EvaluateEvery = heldOut ? run.Get(EvaluateEvery) ?? Math.Max(1, steps / 10) : run.Get(EvaluateEvery) is null ? 0
            : throw new UsageException("--eval-every needs --held-out."),
        EvaluateFirst = heldOut,
        EarlyStopPatience = run.Get(Patience) ?? 0,
        NonFinite = run.Get(SkipNonFinite) ? NonFinitePolicy.Skip : NonFinitePolicy.Stop,
        CheckpointEvery = run.Get(CheckpointEvery) ?? Math.Max(1, steps / 10),
        KeepLast = run.Get(Keep)!.Value,
        KeepBest = heldOut,
    };
}
