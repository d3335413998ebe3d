// The current scope of each thread, and counts of what was created and disposed in and outside scopes.
namespace TorchSharp;

public class DisposeScopeManager
{
    internal sealed class ThreadCounters
    {
        internal DisposeScope? Current;
        internal long CreatedInScope, CreatedOutside, DisposedInScope, DisposedOutside, Attached, Detached;
        internal readonly ThreadDisposeScopeStatistics Statistics;
        internal ThreadCounters() => Statistics = new(this);
        internal void Reset() => CreatedInScope = CreatedOutside = DisposedInScope = DisposedOutside = Attached = Detached = 0;
    }

    [ThreadStatic] private static ThreadCounters? counters;

    internal static ThreadCounters Counters => counters ??= new();

    public static ThreadDisposeScopeStatistics Statistics => Counters.Statistics;

    internal static DisposeScope Open()
    {
        ThreadCounters c = Counters;
        return c.Current = new DisposeScope(c.Current);
    }

    // Scopes are normally closed innermost first; a scope closed out of order only leaves the chain.
    internal static void Close(DisposeScope scope)
    {
        ThreadCounters c = Counters;
        while (c.Current is { IsDisposed: true } current) c.Current = current.Outer;
    }

    internal static void Register(torch.Tensor tensor)
    {
        ThreadCounters c = Counters;
        if (c.Current is { } scope)
        {
            c.CreatedInScope++;
            scope.Add(tensor);
        }
        else
        {
            c.CreatedOutside++;
        }
    }

    internal static void OnDisposed(torch.Tensor tensor)
    {
        ThreadCounters c = Counters;
        if (tensor.OwningDisposeScope is { } scope)
        {
            c.DisposedInScope++;
            scope.Remove(tensor);
        }
        else
        {
            c.DisposedOutside++;
        }
    }
}

/// <summary>Counts of this thread, of all disposables.</summary>
public class ThreadDisposeScopeStatistics
{
    private readonly DisposeScopeManager.ThreadCounters counters;

    public ThreadDisposeScopeStatistics() : this(new()) { }
    internal ThreadDisposeScopeStatistics(DisposeScopeManager.ThreadCounters counters)
    {
        this.counters = counters;
        TensorStatistics = new(counters);
    }

    public LifetimeStatistics TensorStatistics { get; }
    public long CreatedInScopeCount => counters.CreatedInScope;
    public long CreatedOutsideScopeCount => counters.CreatedOutside;
    public long DisposedInScopeCount => counters.DisposedInScope;
    public long DisposedOutsideScopeCount => counters.DisposedOutside;
    public long AttachedToScopeCount => counters.Attached;
    public long DetachedFromScopeCount => counters.Detached;
    public long ThreadTotalLiveCount =>
        counters.CreatedInScope + counters.CreatedOutside - counters.DisposedInScope - counters.DisposedOutside;
    public void Reset() => counters.Reset();
    public override string ToString() => TensorStatistics.ToString();
}

/// <summary>The same counts, of tensors.</summary>
public class LifetimeStatistics
{
    private readonly DisposeScopeManager.ThreadCounters counters;

    public LifetimeStatistics() : this(new()) { }
    internal LifetimeStatistics(DisposeScopeManager.ThreadCounters counters) => this.counters = counters;

    public long CreatedInScopeCount => counters.CreatedInScope;
    public long CreatedOutsideScopeCount => counters.CreatedOutside;
    public long DisposedInScopeCount => counters.DisposedInScope;
    public long DisposedOutsideScopeCount => counters.DisposedOutside;
    public long AttachedToScopeCount => counters.Attached;
    public long DetachedFromScopeCount => counters.Detached;
    public long ThreadTotalLiveCount =>
        counters.CreatedInScope + counters.CreatedOutside - counters.DisposedInScope - counters.DisposedOutside;
    public void Reset() => counters.Reset();
    public override string ToString() =>
        $"ThreadTotalLiveCount: {ThreadTotalLiveCount}; created in scope: {CreatedInScopeCount}, outside: {CreatedOutsideScopeCount}; "
        + $"disposed in scope: {DisposedInScopeCount}, outside: {DisposedOutsideScopeCount}; "
        + $"attached: {AttachedToScopeCount}; detached: {DetachedFromScopeCount}";
}

public static partial class torch
{
    public static DisposeScope NewDisposeScope() => DisposeScopeManager.Open();
    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.Counters.Current;
}
