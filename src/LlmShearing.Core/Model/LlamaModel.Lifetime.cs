// A disposed model says so, whatever is asked of it.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing;

public sealed partial class LlamaModel
{
    private volatile bool _disposed;

    /// <summary>Whether the weights are gone.</summary>
    public bool IsDisposed => _disposed;

    /// <summary>To be called by everything that is about to use the weights.</summary>
    /// <exception cref="ObjectDisposedException">They are gone.</exception>
    public void EnsureAlive()
    {
        if (_disposed)
            throw new ObjectDisposedException(nameof(LlamaModel), $"The model '{Name}' was disposed. Load it again, or dispose it later.");
    }

    /// <summary>The same for a source of any kind; a streamed one tells itself.</summary>
    /// <param name="source">The source.</param>
    /// <exception cref="ObjectDisposedException">It is a model whose weights are gone.</exception>
    public static void EnsureAlive(ILlamaSource source) => (source as LlamaModel)?.EnsureAlive();

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public override IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true)
    {
        EnsureAlive();
        return base.named_parameters(recurse);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public override IEnumerable<Parameter> parameters(bool recurse = true)
    {
        EnsureAlive();
        return base.parameters(recurse);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public override Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
    {
        EnsureAlive();
        return base.state_dict(destination, prefix);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public override void train(bool train = true)
    {
        EnsureAlive();
        base.train(train);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public override void zero_grad(bool set_to_none = true)
    {
        EnsureAlive();
        base.zero_grad(set_to_none);
    }

    /// <inheritdoc/>
    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        EnsureAlive();
        return base._to(device, dtype, non_blocking);
    }

    /// <inheritdoc/>
    protected override nn.Module _to(TorchSharp.DeviceType deviceType, int deviceIndex, bool non_blocking)
    {
        EnsureAlive();
        return base._to(deviceType, deviceIndex, non_blocking);
    }

    /// <inheritdoc/>
    protected override nn.Module _to(ScalarType dtype, bool non_blocking)
    {
        EnsureAlive();
        return base._to(dtype, non_blocking);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_disposed)
            return;
        base.Dispose(disposing);   // asks for the parameters
        _disposed = true;
    }
}
