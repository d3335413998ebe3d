// From options to a plan: by hand, by a list, or by scores. Shared by `plan` and `prune`.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Planning;
using LlmShearing.Scoring;

namespace LlmShearing.Cli.Commands;

/// <param name="Plan">The plan.</param>
/// <param name="Scores">Scores of the whole model that it rests on; null when none were needed.</param>
internal sealed record PlanResult(PruningPlan Plan, ImportanceScores? Scores);

internal sealed class PlanRequest
{
    private readonly Option<string?> _scores = Opt.Text("--scores", "FILE", "Scores from 'shear score --out', instead of scoring now.");

    public DepthOptions Depth { get; } = new();

    public WidthOptions Width { get; } = new();

    public KeepOptions Keep { get; } = new();

    public ScorerOptions Scorer { get; } = new();

    public CalibrationOptions Calibration { get; } = new();

    public ModelOptions Model { get; } = new();

    public Option[] All => [.. Depth.All, .. Width.All, .. Keep.All, _scores, .. Scorer.All, .. Calibration.All, .. Model.All];

    /// <summary>Makes the plan. The weights are opened only when something has to be scored.</summary>
    public PlanResult Make(Invocation run)
    {
        string folder = run.Get(Model.Folder);
        LlamaShape shape = ModelFolder.Config(folder).Shape;
        EnsureOneRequest(run);
        PlanResult result = Keep.IsGiven(run) ? new PlanResult(PruningPlan.FromKept(shape, Keep.Read(run)), null)
            : Depth.IsGiven(run) && !Depth.NeedsScores(run) ? Listed(run, shape)
            : run.Get(_scores) is { } file ? FromScores(run, shape, file)
            : Scored(run, folder);
        result.Plan.EnsureFor(shape);
        PlanProvenance provenance = (result.Plan.Provenance ?? new PlanProvenance()) with { Model = ModelFolder.Name(folder) };
        return result with { Plan = result.Plan with { Provenance = provenance } };
    }

    private void EnsureOneRequest(Invocation run)
    {
        string[] given =
        [
            .. new[]
            {
                Keep.IsGiven(run) ? "units to keep (--keep-...)" : null,
                Width.IsGiven(run) ? "sizes (--hidden, --heads, --kv-heads, --intermediate, --layers)" : null,
                Depth.IsGiven(run) ? "blocks to remove (--remove, --ratio, --target-parameters, --remove-layers)" : null,
            }.OfType<string>(),
        ];
        if (given.Length == 0)
            throw new UsageException("Nothing says what should go. Give --remove N, --ratio R, --target-parameters P or --remove-layers LIST for blocks, sizes such as --hidden N for widths, or --keep-... by hand.");
        if (given.Length > 1)
            throw new UsageException($"Given are both {given[0]} and {given[1]}. Give one kind; with sizes, --layers N says how many blocks stay.");
        if (run.Get(_scores) is not null && run.Get(Scorer.Name) is not null)
            throw new UsageException("Both --scores and --scorer are given. Give one of them.");
        if (run.Get(_scores) is not null && run.Get(Depth.Iterative))
            throw new UsageException("--iterative scores again after each removal, so it needs --scorer, not --scores.");
    }

    private PlanResult Listed(Invocation run, LlamaShape shape)
    {
        // The strategy checks the list against protection; an explicit list looks at no score.
        var none = new ImportanceScores(shape, "list");
        PruningPlan plan = new BlockDepthStrategy(Depth.Read(run)).CreatePlan(none);
        return new PlanResult(plan with { Provenance = plan.Provenance! with { Scorer = null } }, null);
    }

    private PlanResult FromScores(Invocation run, LlamaShape shape, string file)
    {
        ImportanceScores scores = ImportanceScoresJson.Load(file);
        if (!scores.Source.Equals(shape))
            throw new UsageException($"{file} has scores of another model: {scores.Source.Layers.Length} blocks and hidden size {scores.Source.HiddenSize}; this one has {shape.Layers.Length} blocks and hidden size {shape.HiddenSize}, or differs inside its blocks. Score this model.");
        PruningPlan plan = Width.IsGiven(run)
            ? new TargetedWidthStrategy().CreatePlan(TargetShape.Of(shape, Width.Read(run)), scores)
            : new BlockDepthStrategy(Depth.Read(run)).CreatePlan(scores);
        return new PlanResult(plan, scores);
    }

    private PlanResult Scored(Invocation run, string folder)
    {
        ScoreRecorder scorer = ScoreRecorder.Of(Scorer.Create(run));
        _ = Model.Compute.Read(run);
        IReadOnlyList<int[]> rows = Calibration.Rows(run, folder);
        IEnumerable<TokenBatch> batches = TokenBatch.Batches(rows, run.Get(Calibration.BatchSize)!.Value);
        int seed = Calibration.SeedOf(run);
        var pruner = new LlamaPruner();
        using OpenModel model = ModelFolder.Open(run, Model);
        PruningPlan plan = Width.IsGiven(run)
            ? pruner.CreatePlan(model.Source, scorer, new TargetedWidthStrategy(), TargetShape.Of(model.Source.Config.Shape, Width.Read(run)), batches, seed, run.Progress, run.Cancellation)
            : pruner.CreatePlan(model.Source, scorer, Depth.Read(run), batches, run.Get(Depth.Iterative), seed, run.Progress, run.Cancellation);
        return new PlanResult(plan, scorer.First);
    }
}
