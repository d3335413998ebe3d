// --dry-run: memory by reckoning, time by a few steps whose gradients are thrown away.
using System.Text.Json.Nodes;
using Spectre.Console;

namespace LlmShearing.Cli;

internal static class DryRun
{
    private const int Steps = 3;

    public static TrainingEstimateReport Measure(Invocation run, ITrainingSubject subject, TrainingInput input, TrainingRunOptions options, int micro)
    {
        using var optimizer = new AdamW(subject.Trainable.Groups(options.Optimizer));
        var step = new TrainingStep(subject.Trainable, options.Step, subject.Objective);
        var seconds = new List<double>();
        for (int i = 0; i < Steps; i++)
        {
            run.Progress.Report(new ShearingProgress("trying steps", i, Steps));
            var batches = new List<TrainingBatch>();
            while (batches.Count < options.GradientAccumulation && input.Data.NextBatch(run.Cancellation) is { } batch)
                batches.Add(batch);
            if (batches.Count < options.GradientAccumulation)
                break;
            long start = run.Surroundings.Time.GetTimestamp();
            step.Compute(batches, i, options.Seed, run.Cancellation);
            seconds.Add(run.Surroundings.Time.GetElapsedTime(start).TotalSeconds);
            optimizer.ZeroGradients();
        }

        // The first step also warms caches up.
        double each = seconds.Count == 0 ? double.NaN : seconds.Skip(seconds.Count > 1 ? 1 : 0).Average();
        long rows = (long)options.GradientAccumulation * micro;
        return new TrainingEstimateReport(
            TrainingEstimate.Of(subject.Trainable, options, micro, input.RowLength), options.Steps, options.Steps * rows * input.RowLength, each);
    }
}
