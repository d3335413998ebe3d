// --dry-run: memory by reckoning, time by a few micro-batches whose gradients are thrown away. It answers quickly, whatever it is told.
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal static class DryRun
{
    private const int Steps = 3;
    private const int MicroBatches = 8;

    // A micro-batch of more work is not tried: seconds on a processor, and on what is faster.
    private const double ProcessorFlops = 2e12, DeviceFlops = 2e14;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static TrainingEstimateReport Measure(Invocation run, ITrainingSubject subject, TrainingInput input, TrainingRunOptions options, int micro, bool onProcessor)
    {
        TrainingEstimate estimate = TrainingEstimate.Of(subject.Trainable, options, micro, input.RowLength);
        long rows = (long)options.GradientAccumulation * micro;
        double work = estimate.Flops / options.GradientAccumulation, most = onProcessor ? ProcessorFlops : DeviceFlops;
        TrainingEstimateReport Report(double seconds, string why) => new(estimate, options.Steps, options.Steps * rows * input.RowLength, seconds, why);
        if (work > most)
            return Report(double.NaN, $"a micro-batch has {Numbers.Significant(work, 3)} operations, too many to try; for the time give a smaller --micro-batch");
        using var optimizer = new AdamWOptimizer(subject.Trainable.Groups(options.Optimizer));
        var step = new TrainingStep(subject.Trainable, options.Step, subject.Objective);
        var seconds = new List<double>();
        int tried = Math.Min(options.GradientAccumulation, MicroBatches);
        long begin = run.Surroundings.Time.GetTimestamp();
        for (int i = 0; i < Steps && (i == 0 || run.Surroundings.Time.GetElapsedTime(begin) < Patience); i++)
        {
            run.Progress.Report(new ShearingProgress("trying steps", i, Steps));
            var batches = new List<TrainingBatch>();
            while (batches.Count < tried && input.Data.NextBatch(run.Cancellation) is { } batch)
                batches.Add(batch);
            if (batches.Count < tried)
                break;
            long start = run.Surroundings.Time.GetTimestamp();
            step.Compute(batches, i, options.Seed, run.Cancellation);
            seconds.Add(run.Surroundings.Time.GetElapsedTime(start).TotalSeconds / tried * options.GradientAccumulation);
            optimizer.ZeroGradients();
        }

        // The first step also warms caches up.
        double each = seconds.Count == 0 ? double.NaN : seconds.Skip(seconds.Count > 1 ? 1 : 0).Average();
        return Report(each, "the data end within the first step");
    }
}
