// From the name of a device, as users and configurations write it, to a TorchSharp device that is there.
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>Finds the device to compute on. Names: auto, cpu, cuda (the first), cuda:N, mps.</summary>
public static class ComputeDevice
{
    /// <summary>The name that leaves the choice to <see cref="Resolve"/>.</summary>
    public const string Auto = "auto";

    /// <summary>How a device may be named, for help and messages.</summary>
    public const string Names = "auto, cpu, cuda, cuda:N or mps";

    /// <summary>Finds a device.</summary>
    /// <param name="name">Its name; null or "auto" = the first CUDA device where the host's libtorch has CUDA and the machine such a device, else the CPU. MPS is never chosen by itself.</param>
    /// <returns>The device, always with its number: "cuda" becomes cuda:0.</returns>
    /// <exception cref="DeviceException">The name is unknown, or the device is not there; the message says which are.</exception>
    public static Device Resolve(string? name) => Among(name, CudaDevices(), HasMps());

    /// <summary>Whether a name has one of the known forms. Does not look for the device.</summary>
    /// <param name="name">The name.</param>
    /// <returns>False for null.</returns>
    public static bool IsName(string? name) => name is Auto or "cpu" or "cuda" or "mps" || Number(name) is not null;

    /// <summary>The name of a device: "cpu", "cuda:0", "mps".</summary>
    /// <param name="device">The device.</param>
    /// <returns>A name that <see cref="Resolve"/> takes.</returns>
    public static string NameOf(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type switch
        {
            DeviceType.CPU => "cpu",
            DeviceType.MPS => "mps",
            _ => string.Create(CultureInfo.InvariantCulture, $"{device.type.ToString().ToLowerInvariant()}:{Math.Max(0, device.index)}"),
        };
    }

    // The machine is an argument, so that tests see others than their own.
    internal static Device Among(string? name, int cudaDevices, bool hasMps)
    {
        name ??= Auto;
        if (!IsName(name))
            throw new DeviceException($"There is no device '{name}'. Give {Names}. Here are: {Available(cudaDevices, hasMps)}.");
        if (name == "cpu" || (name == Auto && cudaDevices == 0))
            return new Device(DeviceType.CPU);
        if (name == "mps")
            return hasMps ? new Device(DeviceType.MPS, 0) : throw Missing(name, cudaDevices, hasMps);
        int number = Number(name) ?? 0;
        return number < cudaDevices ? new Device(DeviceType.CUDA, number) : throw Missing(name, cudaDevices, hasMps);
    }

    private static DeviceException Missing(string name, int cudaDevices, bool hasMps)
    {
        string advice = name.StartsWith("cuda", StringComparison.Ordinal) && cudaDevices == 0
            ? " CUDA needs an NVIDIA device with its driver, and an application built with TorchSharp-cuda-linux or TorchSharp-cuda-windows."
            : "";
        return new DeviceException($"The device '{name}' is not there. Here are: {Available(cudaDevices, hasMps)}.{advice}");
    }

    private static string Available(int cudaDevices, bool hasMps) =>
        string.Join(", ", ["cpu", .. Enumerable.Range(0, cudaDevices).Select(i => $"cuda:{i}"), .. hasMps ? ["mps"] : Array.Empty<string>()]);

    // N of cuda:N; null when it is something else.
    private static int? Number(string? name) =>
        name is not null && name.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    private static int CudaDevices()
    {
        TorchRuntime.EnsureLoaded();   // without any libtorch this says so in plain words, where the next call does not
        return cuda.is_available() ? cuda.device_count() : 0;
    }

    private static bool HasMps() => OperatingSystem.IsMacOS() && mps_is_available();
}
