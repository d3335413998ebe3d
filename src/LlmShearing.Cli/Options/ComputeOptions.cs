// Where a verb computes, and in which number format.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;
using LlmShearing.Training.Runs;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Cli.Options;

/// <param name="Device">A device that is there.</param>
/// <param name="Type">Type of weights and activations.</param>
internal sealed record Compute(Device Device, ScalarType Type);

internal sealed class ComputeOptions
{
    private readonly string _default;
    private Compute? _read;

    /// <param name="defaultType">What --compute is when it is not given.</param>
    /// <param name="note">More for the help of --compute.</param>
    public ComputeOptions(string defaultType, string note = "")
    {
        _default = defaultType;
        Device.CompletionSources.Add(ComputeDevice.Auto, "cpu", "cuda", "cuda:0", "mps");
        Type = Opt.Choice("--compute", $"Type to compute in; auto is bfloat16 where the device computes it natively, else float32.{note} [default: {defaultType}]", [.. ComputeType.Names]);
    }

    public Option<string?> Device { get; } = Opt.Text("--device", "NAME", $"Where to compute: {ComputeDevice.Names}; auto is the first CUDA device, else the CPU. [default: {ComputeDevice.Auto}]");

    public Option<string?> Type { get; }

    public Option[] All => [Device, Type];

    /// <summary>Finds device and type, and says on standard error which they are. Once; later calls give the same.</summary>
    /// <exception cref="DeviceException">The device is unknown or not there.</exception>
    public Compute Read(Invocation run)
    {
        if (_read is not null)
            return _read;
        Device device = ComputeDevice.Resolve(run.Get(Device));
        return Said(run, new Compute(device, ComputeType.Resolve(Wanted(run), device)), "");
    }

    /// <summary>The same for training, which float16 is too small for. With auto a run keeps the type that it was begun with, on whatever machine.</summary>
    /// <param name="run">The command.</param>
    /// <param name="runFolder">Folder of the run, there already or not; null = none.</param>
    /// <exception cref="DeviceException">The device is unknown or not there.</exception>
    /// <exception cref="UsageException">The type is float16.</exception>
    public Compute ReadForTraining(Invocation run, string? runFolder)
    {
        if (_read is not null)
            return _read;
        if (Wanted(run) == "float16")
            throw new UsageException("--compute float16 is not possible in training: small gradients vanish in it. Give auto, bfloat16 or float32.");
        Device device = ComputeDevice.Resolve(run.Get(Device));
        if (Wanted(run) == ComputeType.Auto && runFolder is not null && RunComputeType.OfRun(runFolder) is { } begun)
            return Said(run, new Compute(device, begun), ", as the run was begun");
        return Said(run, new Compute(device, ComputeType.Resolve(Wanted(run), device)), "");
    }

    private string Wanted(Invocation run) => run.Get(Type) ?? _default;

    private Compute Said(Invocation run, Compute compute, string why)
    {
        run.Note($"computes on {ComputeDevice.NameOf(compute.Device)} in {ComputeType.NameOf(compute.Type)}{why}");
        return _read = compute;
    }
}
