// TorchSharp cannot say what a CUDA device is able to; the driver's own library can, and it is there wherever CUDA works.
using System.Runtime.InteropServices;

namespace LlmShearing.Devices;

internal static unsafe class CudaDriver
{
    // CUdevice_attribute, from the CUDA driver API.
    private const int ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76;

    /// <summary>Compute capability of a device, (8, 0) for sm_80; null when there is no driver, no such device, or no answer.</summary>
    /// <param name="device">0-based number, counted as CUDA_VISIBLE_DEVICES leaves them: the driver and libtorch number alike.</param>
    public static (int Major, int Minor)? ComputeCapability(int device)
    {
        string name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(name, out nint driver))
            return null;
        if (!NativeLibrary.TryGetExport(driver, "cuInit", out nint init)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGet", out nint get)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGetAttribute", out nint attribute))
            return null;
        int handle, major, minor;
        return ((delegate* unmanaged<uint, int>)init)(0) == 0
            && ((delegate* unmanaged<int*, int, int>)get)(&handle, device) == 0
            && ((delegate* unmanaged<int*, int, int, int>)attribute)(&major, ComputeCapabilityMajor, handle) == 0
            && ((delegate* unmanaged<int*, int, int, int>)attribute)(&minor, ComputeCapabilityMinor, handle) == 0
            ? (major, minor) : null;
    }
}
