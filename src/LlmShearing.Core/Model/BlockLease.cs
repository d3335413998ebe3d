namespace LlmShearing.Model;

/// <summary>A borrowed block.</summary>
public sealed class BlockLease : IDisposable
{
    private Action? _release;

    /// <summary>Wraps a block.</summary>
    /// <param name="block">The block.</param>
    /// <param name="release">Called once on disposal; null for resident blocks.</param>
    public BlockLease(LlamaBlock block, Action? release = null) => (Block, _release) = (block, release);

    /// <summary>The block; valid until disposal.</summary>
    public LlamaBlock Block { get; }

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
