// Names of devices and types, on machines of every kind.
using LlmShearing.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Devices;

public class ComputeDeviceTests
{
    [Theory]
    [InlineData(null, 0, false, "cpu")]
    [InlineData("auto", 0, true, "cpu")]
    [InlineData("auto", 2, false, "cuda:0")]
    [InlineData("cpu", 2, false, "cpu")]
    [InlineData("cuda", 2, false, "cuda:0")]
    [InlineData("cuda:1", 2, false, "cuda:1")]
    [InlineData("mps", 0, true, "mps")]
    public void Among_DeviceThatIsThere_IsFound(string? name, int cudaDevices, bool hasMps, string expected) =>
        Assert.Equal(expected, ComputeDevice.NameOf(ComputeDevice.Among(name, cudaDevices, hasMps)));

    [Theory]
    [InlineData("gpu", 1, "There is no device 'gpu'. Give auto, cpu, cuda, cuda:N or mps. Here are: cpu, cuda:0.")]
    [InlineData("CUDA", 1, "There is no device 'CUDA'.")]
    [InlineData("cuda:", 1, "There is no device 'cuda:'.")]
    [InlineData("cuda:-1", 1, "There is no device 'cuda:-1'.")]
    [InlineData("cuda:99999999999", 1, "There is no device 'cuda:99999999999'.")]
    [InlineData("", 1, "There is no device ''.")]
    [InlineData("cuda:2", 2, "The device 'cuda:2' is not there. Here are: cpu, cuda:0, cuda:1.")]
    [InlineData("cuda", 0, "The device 'cuda' is not there. Here are: cpu. CUDA needs an NVIDIA device with its driver")]
    [InlineData("mps", 1, "The device 'mps' is not there. Here are: cpu, cuda:0.")]
    public void Among_UnknownOrMissing_SaysWhichAreThere(string name, int cudaDevices, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<DeviceException>(() => ComputeDevice.Among(name, cudaDevices, false)).Message, StringComparison.Ordinal);

    [Fact]
    public void Resolve_ThisMachine_HasACpu()
    {
        Assert.Equal(DeviceType.CPU, ComputeDevice.Resolve("cpu").type);
        Assert.Equal(ComputeDevice.NameOf(ComputeDevice.Resolve(null)), ComputeDevice.NameOf(ComputeDevice.Resolve("auto")));
    }

    [Theory]
    [InlineData("float32", ScalarType.Float32)]
    [InlineData("bfloat16", ScalarType.BFloat16)]
    [InlineData("float16", ScalarType.Float16)]
    public void ComputeType_ByName(string name, ScalarType expected)
    {
        Assert.Equal(expected, ComputeType.Resolve(name, CPU));
        Assert.Equal(name, ComputeType.NameOf(expected));
    }

    [Fact]
    public void ComputeType_Auto_FollowsTheDevice()
    {
        Assert.Equal(ComputeType.HasNativeBFloat16(CPU) ? ScalarType.BFloat16 : ScalarType.Float32, ComputeType.Resolve("auto", CPU));
        Assert.Equal(ComputeType.Resolve("auto", CPU), ComputeType.Resolve(null, CPU));
        Assert.Equal(ScalarType.Float32, ComputeType.Resolve("auto", new Device(DeviceType.MPS, 0)));
        Assert.Contains("There is no type 'float8'", Assert.Throws<DeviceException>(() => ComputeType.Resolve("float8", CPU)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 0, 1 << 5, true)]         // AVX512-BF16
    [InlineData(0, 0, 1 << 5, false)]        // a subleaf that the processor does not have
    [InlineData(0, 1 << 22, 0, true)]        // AMX-BF16
    [InlineData(1, 1 << 24, 1 << 4, false)]  // AMX-TILE and AVX-VNNI alone
    public void HasBFloat16_BitsOfCpuId(int largestSubleaf, int edx, int eax, bool expected) => Assert.Equal(expected, ComputeType.HasBFloat16(largestSubleaf, edx, eax));

    [Theory]
    [InlineData(7, 5, false)]
    [InlineData(8, 0, true)]
    [InlineData(9, 0, true)]
    [InlineData(12, 0, true)]
    public void HasBFloat16_CudaFromCapability8(int major, int minor, bool expected) => Assert.Equal(expected, ComputeType.HasBFloat16((major, minor)));

    [Fact]
    public void HasBFloat16_CudaWithoutAnAnswer_IsNo() => Assert.False(ComputeType.HasBFloat16(null));
}
