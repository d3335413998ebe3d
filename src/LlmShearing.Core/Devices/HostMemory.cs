// Which tensors may be worked on as plain memory, and the check in front of every such use.
using System.Runtime.InteropServices;
using LlmShearing.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>The memory of tensors on the CPU, for kernels that work on plain bytes.</summary>
public static class HostMemory
{
    [ThreadStatic]
    private static bool _avoided;

    /// <summary>Whether kernels over plain memory may be used for the tensor: it is on the CPU.</summary>
    public static bool Serves(Tensor tensor) => Serves(tensor.device);

    /// <summary>Whether kernels over plain memory may be used for tensors of the device.</summary>
    public static bool Serves(Device device) => device.type == DeviceType.CPU && !_avoided;

    /// <summary>For tests, on this thread: the CPU is treated as a device whose memory is out of reach, so that everything goes the way of other devices.</summary>
    public static IDisposable Avoid()
    {
        bool before = _avoided;
        _avoided = true;
        return new Undo(() => _avoided = before);
    }

    /// <summary>Refuses a tensor whose memory cannot be read or written directly.</summary>
    public static void Ensure(Tensor tensor)
    {
        if (tensor.device.type != DeviceType.CPU)
            throw new InvalidOperationException($"The memory of a tensor on {tensor.device} cannot be used directly. Copy it to the CPU.");
    }

    /// <summary>The elements of a contiguous float32 tensor on the CPU, alive as long as the tensor.</summary>
    public static Span<float> Floats(Tensor tensor)
    {
        Ensure(tensor);
        return MemoryMarshal.Cast<byte, float>(tensor.bytes);
    }
}
