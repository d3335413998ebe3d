// Scopes that dispose what was created in them. The current scope is per thread.
namespace TorchSharp;

public sealed class DisposeScope : IDisposable
{
    // Tensors know their slot, so that leaving a scope is O(1); freed slots are null until the list is compacted.
    private readonly List<IDisposable?> items = [];
    private int live;

    internal DisposeScope(DisposeScope? outer) => Outer = outer;

    internal DisposeScope? Outer { get; }
    internal bool IsDisposed { get; private set; }

    public int DisposablesCount => live;
    public IReadOnlyList<IDisposable> DisposablesView => items.OfType<IDisposable>().ToArray();

    public bool Contains(IDisposable disposable) => IndexOf(disposable) >= 0;

    public void Attach(IDisposable disposable)
    {
        if (Contains(disposable)) return;
        if (disposable is torch.Tensor { OwningDisposeScope: { } owner }) owner.Remove(disposable);
        else DisposeScopeManager.Counters.Attached++;
        Add(disposable);
    }

    public void Attach(params IDisposable[] disposables) => Attach((IEnumerable<IDisposable>)disposables);

    public IReadOnlyList<IDisposable> Attach(IEnumerable<IDisposable> disposables)
    {
        IDisposable[] all = disposables.ToArray();
        foreach (IDisposable d in all) Attach(d);
        return all;
    }

    public T Detach<T>(T disposable) where T : IDisposable
    {
        if (Remove(disposable)) DisposeScopeManager.Counters.Detached++;
        return disposable;
    }

    public (T1 first, T2 second) Detach<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (Detach(first), Detach(second));
    public (T1 first, T2 second, T3 third) Detach<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable => (Detach(first), Detach(second), Detach(third));
    public void Detach(params IDisposable[] disposables) => Detach((IEnumerable<IDisposable>)disposables);
    public void Detach(IEnumerable<IDisposable> disposables)
    {
        foreach (IDisposable d in disposables) Detach<IDisposable>(d);
    }

    /// <summary>Without an outer scope this detaches: nobody disposes the object then.</summary>
    public T MoveToOuter<T>(T disposable) where T : IDisposable => MoveToOther(Outer, disposable);
    public (T1 first, T2 second) MoveToOuter<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (MoveToOuter(first), MoveToOuter(second));
    public (T1 first, T2 second, T3 third) MoveToOuter<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable => (MoveToOuter(first), MoveToOuter(second), MoveToOuter(third));
    public void MoveToOuter(params IDisposable[] disposables) => MoveToOther(Outer, disposables);
    public void MoveToOuter(IEnumerable<IDisposable> disposables) => MoveToOther(Outer, disposables);

    public T MoveToOther<T>(DisposeScope? scope, T disposable) where T : IDisposable
    {
        if (scope is null) return Detach(disposable);
        if (Remove(disposable)) scope.Add(disposable);
        return disposable;
    }

    public (T1 first, T2 second) MoveToOther<T1, T2>(DisposeScope? scope, T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (MoveToOther(scope, first), MoveToOther(scope, second));
    public (T1 first, T2 second, T3 third) MoveToOther<T1, T2, T3>(DisposeScope? scope, T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable =>
        (MoveToOther(scope, first), MoveToOther(scope, second), MoveToOther(scope, third));
    public void MoveToOther(DisposeScope? scope, params IDisposable[] disposables) => MoveToOther(scope, (IEnumerable<IDisposable>)disposables);
    public void MoveToOther(DisposeScope? scope, IEnumerable<IDisposable> disposables)
    {
        foreach (IDisposable d in disposables) MoveToOther<IDisposable>(scope, d);
    }

    public void DisposeEverything() => DisposeEverythingBut([]);
    public T DisposeEverythingBut<T>(T keep) where T : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[keep]);
        return keep;
    }

    public (T1 first, T2 second) DisposeEverythingBut<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[first, second]);
        return (first, second);
    }

    public (T1 first, T2 second, T3 third) DisposeEverythingBut<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[first, second, third]);
        return (first, second, third);
    }

    public void DisposeEverythingBut(params IDisposable[] keep) => DisposeEverythingBut((IEnumerable<IDisposable>)keep);

    public void DisposeEverythingBut(IEnumerable<IDisposable> inKeep)
    {
        HashSet<IDisposable>? keep = null;
        foreach (IDisposable k in inKeep) (keep ??= new(ReferenceEqualityComparer.Instance)).Add(k);

        // Disposing may remove other items; slots stay in place meanwhile because nothing is added here.
        for (int i = 0; i < items.Count; i++)
        {
            if (items[i] is not { } item || (keep is not null && keep.Contains(item))) continue;
            if (item is torch.Tensor tensor)
            {
                tensor.Dispose();
            }
            else
            {
                Remove(item);
                item.Dispose();
            }
        }

        if (live == 0) items.Clear();
    }

    /// <summary>Forgets an object that somebody else disposed.</summary>
    public void MarkAsDisposed(IDisposable disposable) => Remove(disposable);

    public void Dispose()
    {
        if (IsDisposed) return;
        DisposeEverything();
        IsDisposed = true;
        DisposeScopeManager.Close(this);
    }

    internal void Add(IDisposable disposable)
    {
        if (disposable is torch.Tensor tensor)
        {
            tensor.OwningDisposeScope = this;
            tensor.ScopeSlot = items.Count;
        }

        items.Add(disposable);
        live++;
        if (items.Count > 64 && live < items.Count / 4) Compact();
    }

    internal bool Remove(IDisposable disposable)
    {
        int i = IndexOf(disposable);
        if (i < 0) return false;
        if (disposable is torch.Tensor tensor) tensor.OwningDisposeScope = null;
        items[i] = null;
        live--;
        while (items.Count > 0 && items[^1] is null) items.RemoveAt(items.Count - 1);
        return true;
    }

    private int IndexOf(IDisposable disposable) =>
        disposable is torch.Tensor tensor
            ? ReferenceEquals(tensor.OwningDisposeScope, this) ? tensor.ScopeSlot : -1
            : items.FindIndex(item => ReferenceEquals(item, disposable));

    private void Compact()
    {
        int next = 0;
        for (int i = 0; i < items.Count; i++)
        {
            if (items[i] is not { } item) continue;
            if (item is torch.Tensor tensor) tensor.ScopeSlot = next;
            items[next++] = item;
        }

        items.RemoveRange(next, items.Count - next);
    }
}
