using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmShearing.Testing;
using LlmShearing.Testing.Training;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Tests;

public sealed class TrainingMetersTests
{
    [Fact]
    public void Run_Listener_HearsStepsEvaluationsAndProportions()
    {
        using var factory = new Factory();
        var heard = new ConcurrentDictionary<string, List<string>>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (factory.Owns(instrument.Meter))
                    l.EnableMeasurementEvents(instrument);
            },
        };
        void Hear<T>(Instrument instrument, T value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state) =>
            heard.GetOrAdd(instrument.Name, _ => []).Add($"{(tags.Length > 0 ? tags[0].Value : value)}");
        listener.SetMeasurementEventCallback<double>(Hear);
        listener.SetMeasurementEventCallback<long>(Hear);
        listener.Start();
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 5);
        using var trainable = new FullModel(model);
        using var data = new ScriptedData();
        TrainingResult result = new Trainer(meterFactory: factory).Run(trainable, data, RunBench.Options with { Steps = 2 }, folder["run"], ScriptedData.Evaluation());
        Assert.Equal(["32", "32"], heard["training.tokens"]);
        Assert.Equal($"{result.Loss}", heard["training.loss"][^1]);
        Assert.Equal(2, heard["training.step.duration"].Count);
        Assert.Equal(["low", "high", "low", "high"], heard["training.evaluation.loss"]);
        Assert.Equal(["high", "low", "high", "low"], heard["training.domain.proportion"]);
    }

    private sealed class Factory : IMeterFactory
    {
        private readonly List<Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            var meter = new Meter(options);
            _meters.Add(meter);
            return meter;
        }

        public bool Owns(Meter meter) => meter.Name == "LlmShearing" && _meters.Contains(meter);

        public void Dispose() => _meters.ForEach(m => m.Dispose());
    }
}
