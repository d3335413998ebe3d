// Progress on standard error: a line that redraws itself on a terminal; elsewhere a plain line every few seconds, so that
// quick commands stay silent and logs of slow ones show life.
using System.Globalization;

namespace LlmShearing.Cli.Terminal;

internal sealed class ProgressPrinter : IProgress<ShearingProgress>, IDisposable
{
    private static readonly TimeSpan TerminalInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    private readonly TextWriter _error;
    private readonly TimeProvider _time;
    private readonly bool _redraw;
    private readonly bool _silent;
    private readonly IProgress<ShearingProgress>? _outer;
    private readonly Lock _gate = new();
    private string? _stage;
    private long _stageStart;
    private long _firstCompleted;
    private long _lastCompleted;
    private long _lastPrint;
    private int _drawn;

    public ProgressPrinter(Surroundings surroundings, bool silent)
    {
        (_error, _time, _redraw, _silent) = (surroundings.Error, surroundings.Time, surroundings.ErrorIsTerminal, silent);
        _outer = surroundings.OuterProgress;
        _lastPrint = _time.GetTimestamp();
    }

    public void Report(ShearingProgress value)
    {
        _outer?.Report(value);
        if (_silent)
            return;
        lock (_gate)
        {
            long now = _time.GetTimestamp();
            if (value.Stage != _stage || value.Completed < _lastCompleted)   // another stage, or the same one anew
                (_stage, _stageStart, _firstCompleted) = (value.Stage, now, value.Completed);
            _lastCompleted = value.Completed;
            if (_time.GetElapsedTime(_lastPrint, now) < (_redraw ? TerminalInterval : PlainInterval))
                return;
            _lastPrint = now;
            Print(Describe(value, _firstCompleted, _time.GetElapsedTime(_stageStart, now)));
        }
    }

    /// <summary>Takes the redrawn line away, so that messages and results start on a clean one.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            if (_drawn == 0)
                return;
            _error.Write('\r' + new string(' ', _drawn) + '\r');
            _error.Flush();
            _drawn = 0;
        }
    }

    public void Dispose() => Clear();

    /// <summary>For example "scoring: 12/30 layers, 4.1 layers/s, 4 s left". The rate counts from the first report of the stage.</summary>
    internal static string Describe(ShearingProgress value, long firstCompleted, TimeSpan elapsed)
    {
        string text = Pace(value, firstCompleted, elapsed);
        return value.Detail is { } detail ? $"{text}, {detail}" : text;
    }

    private static string Pace(ShearingProgress value, long firstCompleted, TimeSpan elapsed)
    {
        bool bytes = value.Unit == "bytes";
        string Count(double n) => bytes ? Numbers.Bytes((long)n) : n.ToString("0", CultureInfo.InvariantCulture);
        string text = value.Total > 0
            ? $"{value.Stage}: {Count(value.Completed)}/{Count(value.Total)}"
            : $"{value.Stage}: {Count(value.Completed)}";
        if (!bytes)
            text += " " + value.Unit;
        long done = value.Completed - firstCompleted;
        if (done <= 0 || elapsed.TotalSeconds < 0.05)
            return text;
        double rate = done / elapsed.TotalSeconds;
        text += bytes ? $", {Numbers.Bytes((long)rate)}/s" : $", {Numbers.Significant(rate, 3)} {value.Unit}/s";
        if (value.Total > value.Completed)
            text += $", {Numbers.Duration(TimeSpan.FromSeconds((value.Total - value.Completed) / rate))} left";
        return text;
    }

    private void Print(string line)
    {
        if (!_redraw)
        {
            _error.WriteLine(line);
            return;
        }

        _error.Write('\r' + line.PadRight(_drawn));
        _error.Flush();
        _drawn = line.Length;
    }
}
