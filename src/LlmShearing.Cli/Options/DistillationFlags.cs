// Learning from the unpruned model while training.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Training.Distillation;

namespace LlmShearing.Cli.Options;

/// <param name="masks">Whether the student is the teacher under masks: then blocks find each other, and no plan says which was which.</param>
internal sealed class DistillationFlags(bool masks = false)
{
    // CoFi compares every third block of the teacher.
    private const int Every = 3;

    public Option<string?> Teacher { get; } = Opt.Text("--teacher", "MODEL", "Also learn from this model, usually the unpruned one. Same vocabulary.");

    public Option<string?> Plan { get; } = Opt.Text("--teacher-plan", "FILE", "The plan that made the student of the teacher; for --state-weight and --share-weights.");

    public Option<double?> LmWeight { get; } = Opt.Number("--lm-weight", "W", "Weight of the usual loss beside the teacher's. [default: 0.5]", v => v >= 0 && double.IsFinite(v), "a number from 0");

    public Option<double?> LogitWeight { get; } = Opt.Number("--logit-weight", "W", "Weight of the distance to the teacher's predictions. [default: 0.5]", v => v >= 0 && double.IsFinite(v), "a number from 0");

    public Option<double?> StateWeight { get; } = Opt.Number(
        "--state-weight", "W", $"Weight of the distance of hidden states, {(masks ? "of every third block of the teacher and the block that matches it" : "block by kept block")}. [default: 0]", v => v >= 0 && double.IsFinite(v), "a number from 0");

    public Option<string?> Matching { get; } = Opt.Choice(
        "--matching", "Which block matches one of the teacher's, in every micro-batch: the closest of all, or from the last one down the closest of those below it that have attention (CoFi's two rules). [default: closest]", "closest", "descending");

    public Option<bool> Map { get; } = Opt.Flag("--state-map", "Learn a linear map from the student's hidden states to the teacher's, too, and compare behind it (CoFi's layer transformation). The student may be narrower then.");

    public Option<string?> Divergence { get; } = Opt.Choice("--divergence", "Distance of predictions. [default: kl]", "kl", "reverse-kl", "jensen-shannon");

    public Option<double?> Temperature { get; } = Opt.Number("--temperature", "T", "Both predictions are softened by this. [default: 1]", v => v > 0 && double.IsFinite(v), "a number above 0");

    public Option<int?> TopK { get; } = Opt.Int("--top-k", "K", "Compare only the teacher's K likeliest tokens. [default: all]", 1);

    public Option[] All => [Teacher, masks ? Matching : Plan, LmWeight, LogitWeight, StateWeight, Map, Divergence, Temperature, TopK];

    public bool IsGiven(Invocation run) => run.Get(Teacher) is not null
        || (All.FirstOrDefault(run.IsGiven) is { } option ? throw new UsageException($"{option.Name} needs --teacher.") : false);

    /// <summary>The plan, when one was named.</summary>
    public PruningPlan? ReadPlan(Invocation run) => !masks && run.Get(Plan) is { } file ? PruningPlan.Load(file) : null;

    public DistillationOptions Read(Invocation run, PruningPlan? plan)
    {
        double states = run.Get(StateWeight) ?? 0;
        if (masks && states == 0 && run.IsGiven(Matching))
            throw new UsageException("--matching needs --state-weight.");
        if (states == 0 && run.Get(Map))
            throw new UsageException("--state-map needs --state-weight.");
        if (!masks && states > 0 && plan is null)
            throw new UsageException("--state-weight needs --teacher-plan, which says which block was which.");
        return new DistillationOptions
        {
            LmWeight = run.Get(LmWeight) ?? 0.5,
            LogitWeight = run.Get(LogitWeight) ?? 0.5,
            StateWeight = states,
            Blocks = states > 0 && !masks ? BlockPair.Of(plan!) : [],
            Matching = states == 0 || !masks ? BlockMatching.Fixed : run.Get(Matching) == "descending" ? BlockMatching.Descending : BlockMatching.Closest,
            TeacherBlocks = states > 0 && masks ? Thirds(ModelFolder.Config(run.Get(Teacher)!).Shape.Layers.Length) : [],
            Logits = new LogitLoss
            {
                Divergence = run.Get(Divergence) switch { "reverse-kl" => LogitDivergence.ReverseKl, "jensen-shannon" => LogitDivergence.JensenShannon, _ => LogitDivergence.ForwardKl },
                Temperature = run.Get(Temperature) ?? 1,
                TopK = run.Get(TopK) ?? 0,
            },
        };
    }

    // 2, 5, 8, 11 of 12 blocks; the last of one or two.
    private static int[] Thirds(int blocks) => blocks < Every ? [blocks - 1] : [.. Enumerable.Range(1, blocks / Every).Select(i => (i * Every) - 1)];
}
