// Which number format to compute in: as asked for, or the fast one where the hardware has it.
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>Chooses the type of weights and activations. Names: auto, float32, bfloat16, float16. Optimizer state, norms, softmax and losses are float32 whatever the choice.</summary>
public static class ComputeType
{
    /// <summary>The name that leaves the choice to <see cref="Resolve"/>.</summary>
    public const string Auto = "auto";

    /// <summary>All names.</summary>
    public static IReadOnlyList<string> Names { get; } = [Auto, "float32", "bfloat16", "float16"];

    /// <summary>Finds the type.</summary>
    /// <param name="name">Its name; null or "auto" = bfloat16 where the device computes it natively (<see cref="HasNativeBFloat16"/>), else float32.</param>
    /// <param name="device">Where the work is done.</param>
    /// <returns>Float32, BFloat16 or Float16.</returns>
    /// <exception cref="DeviceException">The name is unknown.</exception>
    public static ScalarType Resolve(string? name, Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return name switch
        {
            null or Auto => HasNativeBFloat16(device) ? ScalarType.BFloat16 : ScalarType.Float32,
            "float32" => ScalarType.Float32,
            "bfloat16" => ScalarType.BFloat16,
            "float16" => ScalarType.Float16,
            _ => throw new DeviceException($"There is no type '{name}' to compute in. Give {string.Join(", ", Names)}."),
        };
    }

    /// <summary>The name of a type.</summary>
    /// <param name="type">Float32, BFloat16 or Float16.</param>
    /// <returns>A name that <see cref="Resolve"/> takes.</returns>
    public static string NameOf(ScalarType type) => type.ToString().ToLowerInvariant();

    /// <summary>
    /// Whether products of bfloat16 numbers are made by hardware: CUDA devices of compute capability 8.0 and newer; x86 processors that say that they have AVX512-BF16 or AMX-BF16.
    /// ARM processors cannot be asked from .NET, and MPS has no such question, so the answer for them is no.
    /// </summary>
    /// <param name="device">The device.</param>
    /// <returns>False where it cannot be established.</returns>
    public static bool HasNativeBFloat16(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type switch
        {
            DeviceType.CPU => ProcessorHasBFloat16,
            DeviceType.CUDA => HasBFloat16(CudaDriver.ComputeCapability(Math.Max(0, device.index))),
            _ => false,
        };
    }

    internal static bool HasBFloat16((int Major, int Minor)? capability) => capability is { Major: >= 8 };

    /// <summary>Leaf 7 of CPUID: AVX512_BF16 is bit 5 of EAX of subleaf 1, AMX-BF16 bit 22 of EDX of subleaf 0.</summary>
    internal static bool HasBFloat16(int largestSubleaf, int edxOfSubleaf0, int eaxOfSubleaf1) =>
        (edxOfSubleaf0 & (1 << 22)) != 0 || (largestSubleaf >= 1 && (eaxOfSubleaf1 & (1 << 5)) != 0);

    private static bool ProcessorHasBFloat16 { get; } = AskProcessor();

    // Both extensions use registers that the operating system must save; that it does is what Avx512F.IsSupported says besides.
    private static bool AskProcessor()
    {
        if (!X86Base.IsSupported || !Avx512F.IsSupported || X86Base.CpuId(0, 0).Eax < 7)
            return false;
        (int largest, _, _, int edx) = X86Base.CpuId(7, 0);
        return HasBFloat16(largest, edx, X86Base.CpuId(7, 1).Eax);
    }
}
