namespace LlmShearing.Data.Corpus;

/// <summary>Bounds the bytes that are in flight between threads. One thing larger than the budget may pass alone.</summary>
/// <param name="most">Bytes.</param>
internal sealed class ByteBudget(long most) : IDisposable
{
    private readonly SemaphoreSlim _changed = new(0);
    private long _used;

    /// <summary>Waits until there is room. For one thread only.</summary>
    public void Reserve(long bytes, CancellationToken cancellationToken)
    {
        while (Interlocked.Read(ref _used) is > 0 and var used && used + bytes > most)
            _changed.Wait(cancellationToken);
        Interlocked.Add(ref _used, bytes);
    }

    public void Release(long bytes)
    {
        Interlocked.Add(ref _used, -bytes);
        _changed.Release();
    }

    public void Dispose() => _changed.Dispose();
}
