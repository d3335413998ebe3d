using LlmShearing.Data;
using LlmShearing.Lora;
using LlmShearing.Tokenizers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmShearing.Samples;

/// <summary>Prunes, recovers and evaluates in the background of a host, then ends the application.</summary>
internal sealed partial class RecoveryService(
    ShearingPlanner planner,
    LlamaPruner pruner,
    Trainer trainer,
    ILoraAdapter lora,
    IOptions<RecoveryOptions> options,
    IHostApplicationLifetime application,
    ILogger<RecoveryService> logger) : BackgroundService
{
    // The library computes synchronously; a host gives it a thread of its own.
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Run(() => Work(options.Value, stoppingToken), CancellationToken.None);
        application.StopApplication();
    }

    private void Work(RecoveryOptions o, CancellationToken stopping)
    {
        // Every tenth row is held out; the rest is for calibration and training.
        ITokenizer tokenizer = TokenizerLoader.Load(o.Model);
        string text = string.Join("\n\n", Directory.EnumerateFiles(o.Text, "*.md").Order(StringComparer.Ordinal).Select(File.ReadAllText));
        int[][] rows = [.. tokenizer.Encode(text).Chunk(o.RowLength).Where(r => r.Length == o.RowLength)];
        int[][] heldOut = [.. rows.Where((_, i) => i % 10 == 9)], training = [.. rows.Where((_, i) => i % 10 != 9)];

        // <snippet>
        using LlamaModel model = LlamaModel.Load(o.Model, cancellationToken: stopping);
        double before = pruner.Evaluate(model, plan: null, heldOut, cancellationToken: stopping).Perplexity;
        PruningPlan plan = planner.CreatePlan(model, TokenBatch.Batches([.. training.Take(10)], batchSize: 10), cancellationToken: stopping);
        using LlamaModel smaller = pruner.Apply(model, plan, cancellationToken: stopping);
        double pruned = pruner.Evaluate(smaller, plan: null, heldOut, cancellationToken: stopping).Perplexity;

        // Killed or stopped at any moment, the application goes on from the last checkpoint when it is started again.
        using LoraAttachment adapters = lora.Attach(smaller);
        using var data = new PrefetchedData(DomainBatches.Of("docs", new MemoryTokenRows("docs", training), new DomainBatchesOptions { BatchSize = o.BatchSize }));
        TrainingResult result = trainer.Run(
            new LoraTrainable(adapters),
            data,
            new TrainingRunOptions { Steps = o.Steps, Optimizer = new OptimizerOptions { LearningRate = o.LearningRate, WarmupSteps = o.Steps / 10 } },
            runFolder: Path.Combine(o.Output, "run"),
            progress: new ProgressLog(logger),
            cancellationToken: stopping);
        if (result.Stop == TrainingStop.Interrupted)
            return;

        adapters.Merge();
        double recovered = pruner.Evaluate(smaller, plan: null, heldOut, cancellationToken: stopping).Perplexity;
        smaller.Save(Path.Combine(o.Output, "model"), options: new LlamaCheckpointWriterOptions { Overwrite = true, AuxiliaryFilesFrom = o.Model }, cancellationToken: stopping);
        // </snippet>

        Console.WriteLine($"removed blocks {plan.RemovedBlocks}: perplexity {before:F1}, pruned {pruned:F1}, recovered {recovered:F1}");
    }

    [LoggerMessage(LogLevel.Information, "{Stage}: {Completed} of {Total} {Unit} {Detail}")]
    private static partial void LogProgress(ILogger logger, string stage, long completed, long total, string unit, string? detail);

    private sealed class ProgressLog(ILogger logger) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value)
        {
            if (value.Completed % 10 == 0)
                LogProgress(logger, value.Stage, value.Completed, value.Total, value.Unit, value.Detail);
        }
    }
}
