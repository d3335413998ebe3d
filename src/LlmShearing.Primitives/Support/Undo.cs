namespace LlmShearing.Support;

/// <summary>Runs an action once, on disposal: the guard that restores modes, gradients, gates and taps.</summary>
/// <param name="action">What to run.</param>
public sealed class Undo(Action action) : IDisposable
{
    private Action? _action = action;

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _action, null)?.Invoke();
}
