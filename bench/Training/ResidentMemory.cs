namespace LlmShearing.Bench;

/// <summary>Resident memory of this process, looked at every millisecond.</summary>
internal static class ResidentMemory
{
    /// <summary>MiB by which it grew at most while the action ran.</summary>
    public static double Growth(Action action)
    {
        GC.Collect();
        long before = Environment.WorkingSet, peak = before;
        using var done = new ManualResetEventSlim();
        var watch = new Thread(() =>
        {
            while (!done.Wait(1))
                peak = Math.Max(peak, Environment.WorkingSet);
        });
        watch.Start();
        action();
        done.Set();
        watch.Join();
        return Math.Round((peak - before) / 1048576.0, 1);
    }
}
