// The one way from tensors to managed numbers. Reading a tensor of another device directly leaks its copy (TorchSharp issue 1517), and some devices have no float64.
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>Values of a tensor as managed data. The one place that waits for a device.</summary>
public static class HostValues
{
    /// <summary>All elements of a float32 tensor, row-major; one transfer.</summary>
    public static float[] Floats(Tensor values) => Read<float>(values, ScalarType.Float32);

    /// <summary>All elements of an int64 tensor, row-major; one transfer.</summary>
    public static long[] Longs(Tensor values) => Read<long>(values, ScalarType.Int64);

    /// <summary>All elements of a float64 tensor on the CPU, row-major.</summary>
    public static double[] Doubles(Tensor values) => Read<double>(values, ScalarType.Float64);

    /// <summary>The one element of a float32 or float64 tensor.</summary>
    public static double Number(Tensor value)
    {
        using var scope = NewDisposeScope();
        return value.cpu().to(ScalarType.Float64).item<double>();
    }

    /// <summary>The one element of a boolean tensor.</summary>
    public static bool IsTrue(Tensor value)
    {
        using var scope = NewDisposeScope();
        return value.cpu().item<bool>();
    }

    /// <summary>Sum of all elements in double precision.</summary>
    public static double Sum(Tensor values)
    {
        using var scope = NewDisposeScope();
        return WideSum(values).cpu().item<double>();
    }

    /// <summary>The same as a tensor, which need not be waited for: float64 [] on the device of the values, on the CPU where the device has no float64.</summary>
    public static Tensor WideSum(Tensor values) =>
        values.device.type == DeviceType.MPS ? values.cpu().sum(ScalarType.Float64) : values.sum(ScalarType.Float64);

    private static T[] Read<T>(Tensor values, ScalarType type)
        where T : unmanaged
    {
        if (values.dtype != type)
            throw new ArgumentException($"Expected a tensor of {type}, found {values.dtype}.", nameof(values));
        using var scope = NewDisposeScope();
        return values.detach().cpu().contiguous().data<T>().ToArray();
    }
}
