// Proof without a second device that work stays on the model's device: traps under which careless code gives other numbers or an exception.
using LlmShearing.Devices;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LlmShearing.Testing;

/// <summary>
/// Two traps. Under the first, tensors that are made without naming a device land on the meta device, which holds no values: whatever they touch becomes meta too, or throws, and reading
/// it throws. (A whole model on the meta device would prove less: there, linear, mm, cat, gather and scatter take CPU tensors without a word, and index_select and where have no kernel.)
/// Under the second, kernels over plain memory are not to be used, as if the CPU were a device whose memory is out of reach. Tests that use them must run alone: the first is process-wide.
/// </summary>
public static class DeviceTraps
{
    /// <summary>Runs work plainly, under the first trap, where it must give the same bits, and under both, where it must give the same numbers.</summary>
    /// <param name="work">Makes everything that it uses, and returns numbers that depend on all of it.</param>
    /// <param name="tolerance">Of the largest number, for the way without plain memory; other orders of sums round otherwise, in bfloat16 in the third digit.</param>
    public static void AssertStays(Func<double[]> work, double tolerance = 1e-4)
    {
        double[] expected = work();
        Assert.NotEmpty(expected);
        Assert.All(expected, v => Assert.False(double.IsNaN(v)));
        using (NamelessTensorsElsewhere())
            Assert.Equal(expected, work());
        using IDisposable trap = NamelessTensorsElsewhere();
        using IDisposable memory = HostMemory.Avoid();
        double[] actual = work();
        Assert.Equal(expected.Length, actual.Length);
        double largest = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
            Near.Equal(expected[i], actual[i], tolerance * largest, what: $"number {i}");
    }

    /// <summary>The first trap, until disposal.</summary>
    public static IDisposable NamelessTensorsElsewhere()
    {
        Device before = get_default_device();
        set_default_device(new Device(DeviceType.META));
        return new Restore(before);
    }

    /// <summary>All elements of a tensor in the current dispose scope.</summary>
    public static IEnumerable<double> Numbers(Tensor values) => HostValues.Floats(values.to(ScalarType.Float32)).Select(v => (double)v);

    private sealed class Restore(Device before) : IDisposable
    {
        public void Dispose() => set_default_device(before);
    }
}
