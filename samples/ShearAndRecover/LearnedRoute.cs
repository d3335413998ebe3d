using LlmShearing.Checkpoints;
using LlmShearing.Masks;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmShearing.Samples;

/// <summary>Masks learn which units stay while the weights are trained; what is left is cut out and trained on (LLM-Shearing).</summary>
internal sealed partial class LearnedRoute(
    LlamaPruner pruner, Trainer trainer, IOptions<RecoveryOptions> options, IOptions<MaskRouteOptions> maskOptions, ILogger<LearnedRoute> logger, ILogger<MaskLearner> maskLogger) : IRecoveryRoute
{
    public const string Name = "learned";

    public RecoveryReport? Run(RecoveryText text, IProgress<ShearingProgress> progress, CancellationToken stopping)
    {
        RecoveryOptions o = options.Value;
        MaskRouteOptions masks = maskOptions.Value;

        // <snippet>
        using LlamaModel model = LlamaModel.Load(o.Model, cancellationToken: stopping);
        double before = pruner.Evaluate(model, plan: null, text.HeldOut, cancellationToken: stopping).Perplexity;
        LlamaShape source = model.Config.Shape, target = TargetShape.Of(source, masks.Target);

        // Weights and masks are trained together, until the masks leave just the units of the target.
        using var learner = new MaskLearner(model, MaskLayout.ForTarget(source, target), masks.Learning, logger: maskLogger);
        if (!Train(learner, "learn", masks.Steps, masks.LearningRate, seed: 1))
            return null;
        if (learner.Convergence(masks.Steps).Problem is { } problem)
            LogProblem(logger, problem);

        // What is left of the masks' values goes into the weights, the rest is cut; then all weights are trained on.
        using LlamaModel smaller = learner.Cut();
        double cut = pruner.Evaluate(smaller, plan: null, text.HeldOut, cancellationToken: stopping).Perplexity;
        using var full = new FullModel(smaller);
        if (!Train(full, "continue", o.Steps, masks.LearningRate, seed: 2))
            return null;
        double recovered = pruner.Evaluate(smaller, plan: null, text.HeldOut, cancellationToken: stopping).Perplexity;
        smaller.Save(Path.Combine(o.Output, "model"), options: new LlamaCheckpointWriterOptions { Overwrite = true, AuxiliaryFilesFrom = o.Model }, cancellationToken: stopping);
        // </snippet>

        return new RecoveryReport($"{source.ParameterCount:N0} -> {target.ParameterCount:N0} parameters", before, cut, recovered);

        // False when stopped; started again, it goes on from its last checkpoint, or ends at once when it was finished.
        bool Train(ITrainable trainable, string run, int steps, double rate, int seed)
        {
            using ITrainingData data = text.Batches(o.BatchSize, seed);
            var settings = new TrainingRunOptions { Steps = steps, Seed = seed, Optimizer = new OptimizerSettings { LearningRate = rate, WarmupSteps = steps / 10 } };
            return trainer.Run(trainable, data, settings, Path.Combine(o.Output, run), progress: progress, cancellationToken: stopping).Stop != TrainingStop.Interrupted;
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Problem}")]
    private static partial void LogProblem(ILogger logger, string problem);
}
