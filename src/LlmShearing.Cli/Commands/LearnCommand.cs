// shear learn: masks and weights are trained together until exactly the target shape is left; the result is folded and cut.
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Masks;
using LlmShearing.Masks.Learning;
using LlmShearing.Scoring;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Cli.Commands;

internal sealed class LearnCommand : TrainingCommand
{
    private readonly MaskFlags _masks = new();
    private readonly DistillationFlags _distillation = new(masks: true);

    public LearnCommand(Surroundings surroundings)
        : base(
            surroundings,
            new TrainingOptions(rate: "1e-4", schedule: "cosine", warmup: 320, batch: 32, beta2: 0.95),
            "learn",
            "Learns which units to keep while the weights are trained, and cuts to exactly the target shape (LLM-Shearing). Can be stopped or killed and goes on with the same command.",
            "shear learn MODEL --hidden 448 --heads 6 --intermediate 1152 --layers 26 --data tokens/train --held-out tokens/held-out --steps 3200 --out SMALLER",
            "shear learn MODEL --total-sparsity 0.5 --data tokens/train --steps 3200 --out SMALLER",
            "shear learn MODEL --total-sparsity 0.5 --data tokens/train --teacher MODEL --state-weight 1 --steps 3200 --out SMALLER",
            "shear train SMALLER --data tokens/train --steps 1000 --out RECOVERED") => AddTrainingOptions([.. _masks.All, .. _distillation.All]);

    protected override void Check(Invocation run)
    {
        if (ExportsBest(run) || run.Get(Training.Patience) is not null)
            throw new UsageException("--export-best and --patience make no sense here: the loss rises while units go, so the best evaluation is the first.");
        if (_distillation.IsGiven(run))
            _ = _distillation.Read(run, plan: null);
        _ = _masks.Layout(run, ModelFolder.Config(run.Get(ModelArgument)).Shape);
    }

    protected override TrainingRunOptions Adjust(Invocation run, TrainingRunOptions options)
    {
        if (!run.Get(_masks.Reference))
            return options;
        return options with
        {
            EvaluateFirst = false,
            Optimizer = run.Get(Training.Schedule) is null ? options.Optimizer with { Schedule = ScheduleKind.ComposerCosine } : options.Optimizer,
        };
    }

    protected override ITrainingSubject Open(Invocation run, string model, TrainingRunOptions options)
    {
        MaskLayout layout = _masks.Layout(run, ModelFolder.Config(model).Shape);
        MaskLearningOptions settings = _masks.Read(run, options.Steps);
        StudentModel student = StudentModel.Load(run, model, Compute, _distillation, share: false);
        try
        {
            return new Subject(student, new MaskLearner(student.Model, layout, settings, new LlamaCheckpointWriterOptions { AuxiliaryFilesFrom = model, Logger = run.Log }));
        }
        catch
        {
            student.Dispose();
            throw;
        }
    }

    // Scores are kept even when the masks have not converged: other targets may be within reach.
    protected override JsonObject? Finish(Invocation run, ITrainingSubject subject, TrainingResult result, string folder)
    {
        MaskLearner learner = ((Subject)subject).Learner;
        ImportanceScoresJson.Save(LearnedMaskScorer.ScoresOf(learner.Masks), Path.Combine(folder, "scores.json"));
        MaskConvergence convergence = learner.Convergence(result.Step);
        if (convergence.Problem is { } problem)
        {
            if (!run.Get(_masks.AcceptUnconverged))
                throw new MaskException($"{problem} Or give --accept-unconverged: the shape is exact either way. Nothing was written but {folder}.");
            run.Note(problem);
        }

        PruningPlan plan = MaskFold.Plan(learner.Masks.Deterministic());
        plan.Save(Path.Combine(folder, "plan.json"));
        return new JsonObject
        {
            ["shape"] = Shape(plan.Target),
            ["parameters"] = plan.Target.ParameterCount,
            ["sparsity"] = new JsonObject(convergence.Gaps.Select(g => KeyValuePair.Create(g.Name, (JsonNode?)new JsonObject { ["expected"] = g.Expected, ["target"] = g.Target }))),
            ["converged"] = convergence.IsReached,
        };
    }

    private static JsonObject Shape(LlamaShape shape) => new()
    {
        ["hidden_size"] = shape.HiddenSize,
        ["blocks"] = shape.Layers.Length,
        ["query_heads"] = new JsonArray([.. shape.Layers.Select(l => JsonValue.Create(l.QueryHeads))]),
        ["key_value_heads"] = new JsonArray([.. shape.Layers.Select(l => JsonValue.Create(l.KeyValueHeads))]),
        ["intermediate_size"] = new JsonArray([.. shape.Layers.Select(l => JsonValue.Create(l.IntermediateSize))]),
    };

    private sealed class Subject(StudentModel student, MaskLearner learner) : ITrainingSubject
    {
        public MaskLearner Learner => learner;

        public ITrainable Trainable => learner;

        public ITrainingObjective? Objective => student.Objective;

        public void Dispose()
        {
            learner.Dispose();
            student.Dispose();
        }
    }
}
