using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Tests;

public sealed class ProgressTests
{
    private readonly Clock _clock = new();
    private readonly StringWriter _error = new() { NewLine = "\n" };

    [Fact]
    public void Describe_HasRateAndTimeLeft()
    {
        Assert.Equal("scoring: 12/30 layers, 4 layers/s, 5 s left", ProgressPrinter.Describe(new("scoring", 12, 30, "layers"), 4, TimeSpan.FromSeconds(2)));
        Assert.Equal("reading: 500 MB/1 GB, 250 MB/s, 2 s left", ProgressPrinter.Describe(new("reading", 500_000_000, 1_000_000_000, "bytes"), 0, TimeSpan.FromSeconds(2)));
        Assert.Equal("encoding: 7 records", ProgressPrinter.Describe(new("encoding", 7, 0, "records"), 7, TimeSpan.Zero));
        Assert.Equal("training: 2/10 steps, 1 steps/s, 8 s left, loss 2.5", ProgressPrinter.Describe(new("training", 2, 10) { Detail = "loss 2.5" }, 0, TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public void Report_NoTerminal_IsSilentWhenQuickAndShowsLifeWhenSlow()
    {
        using ProgressPrinter printer = Create(terminal: false);
        printer.Report(new("work", 1, 10));
        _clock.Now += TimeSpan.FromSeconds(2);
        printer.Report(new("work", 2, 10));
        Assert.Equal("", _error.ToString());
        _clock.Now += TimeSpan.FromSeconds(4);
        printer.Report(new("work", 4, 10));
        Assert.Equal("work: 4/10 steps, 0.5 steps/s, 12 s left\n", _error.ToString());
    }

    [Fact]
    public void Report_SameStageAnew_RateCountsFromItsOwnBeginning()
    {
        using ProgressPrinter printer = Create(terminal: false);
        printer.Report(new("work", 1, 10));
        _clock.Now += TimeSpan.FromSeconds(90);
        printer.Report(new("work", 10, 10));
        printer.Report(new("work", 1, 10));
        _clock.Now += TimeSpan.FromSeconds(8);
        printer.Report(new("work", 5, 10));
        Assert.EndsWith("\nwork: 5/10 steps, 0.5 steps/s, 10 s left\n", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Clear_Terminal_TakesTheLineAway()
    {
        using ProgressPrinter printer = Create(terminal: true);
        _clock.Now += TimeSpan.FromSeconds(1);
        printer.Report(new("work", 1, 0));
        printer.Clear();
        Assert.Equal("\rwork: 1 steps\r             \r", _error.ToString());
    }

    [Fact]
    public void Report_Quiet_PrintsNothing()
    {
        using var printer = new ProgressPrinter(new Surroundings { Out = TextWriter.Null, Error = _error, Time = _clock }, silent: true);
        _clock.Now += TimeSpan.FromMinutes(1);
        printer.Report(new("work", 1, 10));
        Assert.Equal("", _error.ToString());
    }

    private ProgressPrinter Create(bool terminal) =>
        new(new Surroundings { Out = TextWriter.Null, Error = _error, ErrorIsTerminal = terminal, Time = _clock }, silent: false);

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
