// The values of masks at one moment (sampled, or deterministic), as managed numbers.
using System.Collections.Immutable;
using static TorchSharp.torch;

namespace LlmShearing.Masks;

/// <summary>Multipliers of units by axis, each in [0, 1], flat in the order of <see cref="MaskFamily"/>. An axis that is absent counts as all ones. Zero removes a unit exactly.</summary>
public sealed class MaskValues
{
    private readonly ImmutableSortedDictionary<PruningAxes, float[]> _values;

    /// <summary>Takes values; checks their number against the shape.</summary>
    /// <param name="source">Shape of the masked model; all blocks alike.</param>
    /// <param name="values">Flat values by single axis; the arrays become this object's.</param>
    /// <exception cref="MaskException">A length does not agree with the shape, or a value is not a finite number of 0 or more.</exception>
    public MaskValues(LlamaShape source, IReadOnlyDictionary<PruningAxes, float[]> values)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(values);
        Source = source;
        foreach ((PruningAxes axis, float[] entries) in values)
        {
            int expected = CountOf(source, axis);
            if (entries.Length != expected)
                throw new MaskException($"There are {entries.Length} {MaskFamily.NameOf(axis)} values; the model has {expected} such units.");
            for (int i = 0; i < entries.Length; i++)
                if (!float.IsFinite(entries[i]) || entries[i] < 0)
                    throw new MaskException($"The {MaskFamily.NameOf(axis)} value {i} is {entries[i]}; it must be a finite number of 0 or more.");
        }

        _values = values.ToImmutableSortedDictionary();
    }

    /// <summary>Shape of the masked model.</summary>
    public LlamaShape Source { get; }

    /// <summary>Axes that have values.</summary>
    public IEnumerable<PruningAxes> Axes => _values.Keys;

    /// <summary>Flat values of an axis; null when absent (all ones).</summary>
    /// <param name="axis">A single axis.</param>
    public ReadOnlyMemory<float>? this[PruningAxes axis] => _values.TryGetValue(axis, out float[]? entries) ? entries : default(ReadOnlyMemory<float>?);   // a plain null would become an empty memory

    /// <summary>The gates that multiply the units by these values. Gradients come back flat, in the same order, from <see cref="LlamaGates.Gradients"/>.</summary>
    /// <param name="requiresGrad">Whether gradients are wanted; default false.</param>
    /// <param name="device">Device; default CPU.</param>
    /// <param name="gateEmbedding">Whether the embedding is multiplied by the hidden values; default true. False is what LLM-Shearing does while it trains.</param>
    /// <returns>Gates owned by the caller; one for every axis that has values.</returns>
    public LlamaGates ToGates(bool requiresGrad = false, Device? device = null, bool gateEmbedding = true) =>
        LlamaGates.FromValues(Source, _values.ToDictionary(v => v.Key, v => (ReadOnlyMemory<float>)v.Value), requiresGrad, device, gateEmbedding);

    private static int CountOf(LlamaShape shape, PruningAxes axis) => axis switch
    {
        PruningAxes.Hidden => shape.HiddenSize,
        PruningAxes.QueryHeads => shape.Layers.Sum(l => l.QueryHeads),
        PruningAxes.KeyValueGroups => shape.Layers.Sum(l => l.KeyValueHeads),
        PruningAxes.Intermediate => shape.Layers.Sum(l => l.IntermediateSize),
        PruningAxes.Layers or PruningAxes.Attention or PruningAxes.Mlp => shape.Layers.Length,
        _ => throw new MaskException($"{axis} is not a single kind of unit."),
    };
}
