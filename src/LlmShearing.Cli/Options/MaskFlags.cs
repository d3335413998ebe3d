// How masks are learned.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Masks;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Scoring;

namespace LlmShearing.Cli.Options;

internal sealed class MaskFlags
{
    private readonly WidthOptions _target = new();

    public Option<double?> TotalSparsity { get; } = Opt.Number("--total-sparsity", "S", "Share of the prunable parameters to remove, every block finding its own sizes, instead of a target shape.", v => v is > 0 and < 1, "a number between 0 and 1");

    public Option<string?> Families { get; } = Completions.List(Opt.Text("--masks", "A,B", $"Kinds of units that get masks: {MaskFamily.NameList}. [default: those that the target changes; with --total-sparsity query-heads (key-value-groups in grouped models), intermediate, layers and hidden]"), MaskFamily.NameList.Split(", "));

    public Option<long?> Ramp { get; } = Opt.Long("--ramp", "N", "Steps over which the wanted sparsity rises to the target's. [default: a fifth of the steps]", 0);

    public Option<double?> MaskRate { get; } = Opt.Number("--mask-lr", "R", "Peak learning rate of the mask logits.", v => v is > 0 and < 1e6, "a number above 0 and below 1000000", new MaskLearningOptions().MaskLearningRate);

    public Option<double?> MultiplierRate { get; } = Opt.Number("--multiplier-lr", "R", "Peak learning rate of the multipliers.", v => v is > 0 and < 1e6, "a number above 0 and below 1000000", new MaskLearningOptions().MultiplierLearningRate);

    public Option<double?> Quadratic { get; } = Opt.Number("--initial-lambda2", "L", "Second multiplier at the start; above 0 the sparsity follows its ramp from the beginning.", v => v is >= 0 and < 1e9, "a number from 0", new MaskLearningOptions().InitialQuadratic);

    public Option<double?> Logit { get; } = Opt.Number("--initial-logit", "A", "Mean logit at the start. [default: 5, clamped to ln 100]", double.IsFinite, "a number");

    public Option<string?> Scores { get; } = Opt.Text("--init-scores", "FILE", "Start from these scores of the same model, from 'shear score --out', instead of alike: short runs then refine a choice.");

    public Option<double?> Spread { get; } = Opt.Number("--init-spread", "S", "Distance in logits between the best and the worst unit at the start, with --init-scores.", v => v is >= 0 and < 100, "a number from 0", new MaskInitialization().Spread);

    public Option<bool> Freeze { get; } = Opt.Flag("--freeze-weights", "Learn the masks only.");

    public Option<bool> Harden { get; } = Opt.Flag("--harden", "Cut without folding mask values into the weights that stay: the better start in short runs.");

    public Option<bool> Reference { get; } = Opt.Flag("--reference", "Train as LLM-Shearing's code does, with its faults: the embedding is not masked, one clipping for everything, schedule composer-cosine; no evaluation, and so no change of the mixture, before the first step.");

    public Option<bool> AcceptUnconverged { get; } = Opt.Flag("--accept-unconverged", "Cut to the target shape even when the masks have not reached it.");

    public Option[] All => [.. _target.All, TotalSparsity, Families, Ramp, MaskRate, MultiplierRate, Quadratic, Logit, Scores, Spread, Freeze, Harden, Reference, AcceptUnconverged];

    public MaskLayout Layout(Invocation run, LlamaShape source)
    {
        PruningAxes? axes = run.Get(Families) is { } names ? MaskFamily.Parse(names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)) : null;
        if (run.Get(TotalSparsity) is null)
        {
            if (!_target.IsGiven(run))
                throw new UsageException("Nothing says how small the model shall be. Give sizes such as --hidden, --heads, --intermediate and --layers, or --total-sparsity.");
            return MaskLayout.ForTarget(source, TargetShape.Of(source, _target.Read(run)), axes);
        }

        if (_target.IsGiven(run))
            throw new UsageException("Give sizes or --total-sparsity, not both.");
        bool grouped = source.Layers[0].KeyValueHeads < source.Layers[0].QueryHeads;
        return MaskLayout.ForBudget(source, axes ?? (PruningAxes.Hidden | PruningAxes.Intermediate | PruningAxes.Layers | (grouped ? PruningAxes.KeyValueGroups : PruningAxes.QueryHeads)));
    }

    public MaskLearningOptions Read(Invocation run, long steps)
    {
        long ramp = run.Get(Ramp) ?? steps / 5;
        if (ramp >= steps && steps > 0)
            throw new UsageException($"--ramp {ramp} leaves none of the {steps} steps at the full target. Give a shorter ramp or more steps: the original uses 640 of 3,200.");
        return (run.Get(Reference) ? MaskLearningOptions.Reference : new MaskLearningOptions()) with
        {
            RampSteps = ramp,
            MaskLearningRate = run.Get(MaskRate)!.Value,
            MultiplierLearningRate = run.Get(MultiplierRate)!.Value,
            InitialQuadratic = run.Get(Quadratic)!.Value,
            Initialization = run.Get(Logit) is null && run.Get(Scores) is null ? null : new MaskInitialization
            {
                Mean = run.Get(Logit) ?? new MaskInitialization().Mean,
                Scores = run.Get(Scores) is { } file ? ImportanceScoresJson.Load(file) : null,
                Spread = run.Get(Spread)!.Value,
            },
            TrainWeights = !run.Get(Freeze),
            TotalSparsity = run.Get(TotalSparsity),
            Harden = run.Get(Harden),
        };
    }
}
