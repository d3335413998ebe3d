// Two threads that compute gradients of one model would end the process: a model answers the second one with an exception.

using LlmShearing.Support;

namespace LlmShearing;

public sealed partial class LlamaModel
{
    private int _inUse;

    /// <summary>Takes the model for a computation of gradients, until disposal.</summary>
    /// <exception cref="InvalidOperationException">Another computation of gradients has it.</exception>
    /// <returns>To be disposed when the gradients are there.</returns>
    public IDisposable UseForGradients()
    {
        EnsureAlive();
        if (Interlocked.Exchange(ref _inUse, 1) != 0)
            throw new InvalidOperationException(
                $"The model '{Name}' is in use: another training step or scorer computes gradients of it. Wait for that one to end, or give each its own copy of the model.");
        return new Undo(() => Volatile.Write(ref _inUse, 0));
    }
}
