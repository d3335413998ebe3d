// Measurements of a run for whoever listens: the meter and the activity source "LlmShearing".
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace LlmShearing.Training.Runs;

internal sealed class TrainingMeters : IDisposable
{
    public const string Name = "LlmShearing";
    private readonly Meter _meter;
    private readonly bool _owned;
    private readonly Gauge<double> _loss, _evaluationLoss, _proportion;
    private readonly Counter<long> _tokens, _skipped;
    private readonly Histogram<double> _duration;

    public TrainingMeters(IMeterFactory? factory)
    {
        (_meter, _owned) = (factory?.Create(Name) ?? new Meter(Name), factory is null);
        _loss = _meter.CreateGauge<double>("training.loss", "nat", "Loss of a step.");
        _evaluationLoss = _meter.CreateGauge<double>("training.evaluation.loss", "nat", "Mean loss of an evaluation set.");
        _proportion = _meter.CreateGauge<double>("training.domain.proportion", "1", "Share of a domain in the samples to come.");
        _tokens = _meter.CreateCounter<long>("training.tokens", "{token}", "Tokens that went through the model.");
        _skipped = _meter.CreateCounter<long>("training.steps.skipped", "{step}", "Steps left out because a loss or gradient was not finite.");
        _duration = _meter.CreateHistogram<double>("training.step.duration", "s", "Time of a step, data included.");
    }

    public static ActivitySource Activities { get; } = new(Name);

    public void Step(double loss, long tokens, TimeSpan duration, bool skipped)
    {
        if (skipped)
            _skipped.Add(1);
        else
            _loss.Record(loss);
        _tokens.Add(tokens);
        _duration.Record(duration.TotalSeconds);
    }

    public void Evaluation(EvaluationLosses losses, IReadOnlyDictionary<string, double>? proportions)
    {
        foreach ((string set, double loss) in losses.Sets)
            _evaluationLoss.Record(loss, new KeyValuePair<string, object?>("set", set));
        foreach ((string domain, double share) in proportions ?? new Dictionary<string, double>())
            _proportion.Record(share, new KeyValuePair<string, object?>("domain", domain));
    }

    public void Dispose()
    {
        if (_owned)
            _meter.Dispose();
    }
}
