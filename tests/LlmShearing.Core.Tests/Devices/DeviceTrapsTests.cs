// The traps themselves: careless code is caught.
using LlmShearing.Devices;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Devices;

[Collection("tensor count")]
public sealed class DeviceTrapsTests
{
    // What can be done with a tensor on the CPU and one whose device was forgotten.
    private static readonly Dictionary<string, Func<Tensor, Tensor>> Careless = new()
    {
        ["add"] = x => x + ones(3, 3),
        ["product"] = x => x.mm(ones(3, 3)),
        ["linear"] = x => nn.functional.linear(x, ones(3, 3)),
        ["joined"] = x => cat([x, ones(3, 3)], 0),
        ["gather"] = x => x.gather(1, zeros(3, 1, dtype: ScalarType.Int64)),
        ["rows"] = x => x.index_select(0, tensor(new long[] { 1 })),
        ["scattered in place"] = x => x.clone().scatter_add_(1, zeros(3, 3, dtype: ScalarType.Int64), x),
        ["added in place"] = x => x.clone().add_(ones(3, 3)),
        ["copied"] = x => empty_like(x).copy_(zeros(3, 3) + 1),
        ["gated"] = x => x * tensor(new float[] { 1, 2, 3 }),
    };

    public static TheoryData<string> Names => [.. Careless.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void AssertStays_TensorWithoutDevice_Fails(string name)
    {
        double[] Work()
        {
            using var scope = NewDisposeScope();
            Tensor x = arange(9, dtype: ScalarType.Float32, device: CPU).view(3, 3);
            return [.. DeviceTraps.Numbers(Careless[name](x))];
        }

        Work();
        Assert.ThrowsAny<Exception>(() => DeviceTraps.AssertStays(Work));
        Assert.Equal(DeviceType.CPU, get_default_device().type);
    }

    [Fact]
    public void Memory_OfATensorElsewhere_IsRefused()
    {
        using Tensor elsewhere = zeros(4, device: new Device(DeviceType.META));
        Assert.Contains("cannot be used directly", Assert.Throws<InvalidOperationException>(() => new WeightMemory(elsewhere)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => HostMemory.Floats(elsewhere).Length);
        Assert.False(HostMemory.Serves(elsewhere));
    }
}
