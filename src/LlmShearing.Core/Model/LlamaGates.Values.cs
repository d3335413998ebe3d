// Gates from managed numbers, and their gradients back as managed numbers: what learned masks need each micro-batch.
using System.Runtime.InteropServices;
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing;

public sealed partial class LlamaGates
{
    private static readonly PruningAxes[] SingleAxes =
    [
        PruningAxes.Hidden, PruningAxes.QueryHeads, PruningAxes.KeyValueGroups, PruningAxes.Intermediate,
        PruningAxes.Attention, PruningAxes.Mlp, PruningAxes.Layers,
    ];

    /// <summary>Axes that have gates.</summary>
    public PruningAxes Axes => SingleAxes.Where(axis => Rows(axis) is not null).Aggregate(PruningAxes.None, (all, axis) => all | axis);

    /// <summary>Gates with given values. The tensors are leaves of their own: values may be reused or changed afterwards.</summary>
    /// <param name="shape">Shape of the model.</param>
    /// <param name="values">
    /// Flat values by single axis: Hidden [H]; QueryHeads, KeyValueGroups and Intermediate layer after layer; Attention, Mlp and Layers [L]. Absent axes have no gate.
    /// </param>
    /// <param name="requiresGrad">Whether gradients are wanted; default false.</param>
    /// <param name="device">Device; default CPU.</param>
    /// <param name="gateEmbedding">See <see cref="GateEmbedding"/>; default true.</param>
    /// <returns>Gates owned by the caller.</returns>
    /// <exception cref="ArgumentException">The number of values does not agree with the shape, or a key is not a single axis.</exception>
    public static LlamaGates FromValues(
        LlamaShape shape, IReadOnlyDictionary<PruningAxes, ReadOnlyMemory<float>> values, bool requiresGrad = false, Device? device = null, bool gateEmbedding = true)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(values);
        foreach ((PruningAxes axis, ReadOnlyMemory<float> flat) in values)
            if (flat.Length != Sizes(shape, axis).Sum())
                throw new ArgumentException($"There are {flat.Length} {axis} gates; the model has {Sizes(shape, axis).Sum()} such units. Give one value for each.", nameof(values));
        TorchRuntime.EnsureLoaded();
        IReadOnlyList<Tensor>? Each(PruningAxes axis)
        {
            if (!values.TryGetValue(axis, out ReadOnlyMemory<float> flat))
                return null;
            var rows = new List<Tensor>();
            int start = 0;
            foreach (int size in Sizes(shape, axis))
            {
                rows.Add(tensor(flat.Slice(start, size).ToArray(), device: device ?? CPU).requires_grad_(requiresGrad).DetachFromDisposeScope());
                start += size;
            }

            return rows;
        }

        return new LlamaGates(shape)
        {
            GateEmbedding = gateEmbedding,
            Hidden = Each(PruningAxes.Hidden)?[0],
            QueryHeads = Each(PruningAxes.QueryHeads),
            KeyValueGroups = Each(PruningAxes.KeyValueGroups),
            Intermediate = Each(PruningAxes.Intermediate),
            Attention = Each(PruningAxes.Attention)?[0],
            Mlp = Each(PruningAxes.Mlp)?[0],
            Layers = Each(PruningAxes.Layers)?[0],
        };
    }

    /// <summary>The gradients that a backward pass left in the gates, flat as in <see cref="FromValues"/>. Zero where none has arrived. Does not reset them.</summary>
    /// <returns>New arrays by axis, one for every axis that has gates.</returns>
    public IReadOnlyDictionary<PruningAxes, ReadOnlyMemory<float>> Gradients()
    {
        var result = new SortedDictionary<PruningAxes, ReadOnlyMemory<float>>();
        foreach (PruningAxes axis in SingleAxes)
        {
            if (Rows(axis) is not { } rows)
                continue;
            float[] flat = new float[rows.Sum(row => row.NumberOfElements)];
            int start = 0;
            foreach (Tensor row in rows)
            {
                using var scope = NewDisposeScope();
                if (row.grad is { } gradient)
                    HostValues.Floats(gradient).CopyTo(flat, start);
                start += (int)row.NumberOfElements;
            }

            result[axis] = flat;
        }

        return result;
    }

    private static IEnumerable<int> Sizes(LlamaShape shape, PruningAxes axis) => axis switch
    {
        PruningAxes.Hidden => [shape.HiddenSize],
        PruningAxes.QueryHeads => shape.Layers.Select(l => l.QueryHeads),
        PruningAxes.KeyValueGroups => shape.Layers.Select(l => l.KeyValueHeads),
        PruningAxes.Intermediate => shape.Layers.Select(l => l.IntermediateSize),
        PruningAxes.Attention or PruningAxes.Mlp or PruningAxes.Layers => [shape.Layers.Length],
        _ => throw new ArgumentException($"{axis} is not a single axis; gates are given axis by axis."),
    };

    // The tensors of one axis; null when it has no gates.
    private IReadOnlyList<Tensor>? Rows(PruningAxes axis) => axis switch
    {
        PruningAxes.QueryHeads => QueryHeads,
        PruningAxes.KeyValueGroups => KeyValueGroups,
        PruningAxes.Intermediate => Intermediate,
        PruningAxes.Hidden => Hidden is null ? null : [Hidden],
        PruningAxes.Attention => Attention is null ? null : [Attention],
        PruningAxes.Mlp => Mlp is null ? null : [Mlp],
        _ => Layers is null ? null : [Layers],
    };
}
