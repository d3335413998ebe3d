namespace LlmShearing;

/// <summary>Runs an action once, on disposal: the guard that restores modes, gradients, gates and taps.</summary>
internal sealed class Undo(Action action) : IDisposable
{
    private Action? _action = action;

    public void Dispose() => Interlocked.Exchange(ref _action, null)?.Invoke();
}
