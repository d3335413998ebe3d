// Creation of parameters. A Parameter made inside a caller's dispose scope would die with it, so every one is detached here.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>Creation of parameters. A parameter made inside a caller's dispose scope would die with it, so every one is detached here.</summary>
public static class Weights
{
    /// <summary>An uninitialised parameter that no dispose scope owns.</summary>
    public static Parameter Empty(ScalarType dtype, Device device, params long[] shape) =>
        Own(empty(shape, dtype: dtype, device: device));

    /// <summary>Turns a tensor into a parameter that no dispose scope owns; the tensor's handle is taken over.</summary>
    public static Parameter Own(Tensor tensor, bool requiresGrad = false)
    {
        var parameter = new Parameter(tensor, requiresGrad);
        parameter.DetachFromDisposeScope();
        return parameter;
    }

    /// <summary>To be called by modules before they use a weight: the native library would speak of an empty handle.</summary>
    /// <exception cref="ObjectDisposedException">The weight is gone.</exception>
    public static void EnsureAlive(Parameter weight, string module)
    {
        if (weight.IsInvalid)
            throw new ObjectDisposedException(module, "The model that this module belongs to was disposed.");
    }

    /// <summary>A parameter of its own on the memory of another; disposing one leaves the other. It does not require gradients.</summary>
    public static Parameter Share(Parameter other) => Own(other.detach());
}
