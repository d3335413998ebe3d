using LlmShearing.Checkpoints;
using LlmShearing.DependencyInjection;
using LlmShearing.Lora;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using Microsoft.Extensions.Options;

namespace LlmShearing.Samples;

/// <summary>Whole blocks go, by the configured criterion; LoRA recovers what is left (Shortened LLaMA).</summary>
internal sealed class BlocksRoute(ShearingPlanner planner, LlamaPruner pruner, Trainer trainer, ILoraAdapter lora, IOptions<RecoveryOptions> options) : IRecoveryRoute
{
    public const string Name = "blocks";

    public RecoveryReport? Run(RecoveryText text, IProgress<ShearingProgress> progress, CancellationToken stopping)
    {
        RecoveryOptions o = options.Value;

        // <snippet>
        using LlamaModel model = LlamaModel.Load(o.Model, cancellationToken: stopping);
        double before = pruner.Evaluate(model, plan: null, text.HeldOut, cancellationToken: stopping).Perplexity;
        PruningPlan plan = planner.CreatePlan(model, TokenBatch.Batches([.. text.Training.Take(10)], batchSize: 10), cancellationToken: stopping);
        using LlamaModel smaller = pruner.Apply(model, plan, cancellationToken: stopping);
        double cut = pruner.Evaluate(smaller, plan: null, text.HeldOut, cancellationToken: stopping).Perplexity;

        // Killed or stopped at any moment, the application goes on from the last checkpoint when it is started again.
        using LoraAttachment adapters = lora.Attach(smaller);
        using ITrainingData data = text.Batches(o.BatchSize);
        TrainingResult result = trainer.Run(
            new LoraTrainable(adapters),
            data,
            new TrainingRunOptions { Steps = o.Steps, Optimizer = new OptimizerSettings { LearningRate = o.LearningRate, WarmupSteps = o.Steps / 10 } },
            runFolder: Path.Combine(o.Output, "run"),
            progress: progress,
            cancellationToken: stopping);
        if (result.Stop == TrainingStop.Interrupted)
            return null;

        adapters.Merge();
        double recovered = pruner.Evaluate(smaller, plan: null, text.HeldOut, cancellationToken: stopping).Perplexity;
        smaller.Save(Path.Combine(o.Output, "model"), options: new LlamaCheckpointWriterOptions { Overwrite = true, AuxiliaryFilesFrom = o.Model }, cancellationToken: stopping);
        // </snippet>

        return new RecoveryReport($"blocks {plan.RemovedBlocks} removed", before, cut, recovered);
    }
}
