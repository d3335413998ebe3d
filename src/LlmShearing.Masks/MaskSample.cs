// Masks drawn for one micro-batch, with what is needed to carry gradients from them back to the logits.
using System.Collections.Immutable;

namespace LlmShearing.Masks;

/// <summary>Masks sampled from logits, and dz/da of each entry. Managed memory only.</summary>
public sealed class MaskSample
{
    private readonly ImmutableSortedDictionary<PruningAxes, float[]> _derivatives;

    private MaskSample(MaskLayout layout, MaskValues values, ImmutableSortedDictionary<PruningAxes, float[]> derivatives) =>
        (Layout, Values, _derivatives) = (layout, values, derivatives);

    /// <summary>The families that were sampled.</summary>
    public MaskLayout Layout { get; }

    /// <summary>The sampled multipliers.</summary>
    public MaskValues Values { get; }

    /// <summary>dz/da of each entry of a family, flat; 0 where the sample is exactly 0 or 1.</summary>
    /// <param name="axis">Axis of a family of the layout.</param>
    /// <returns>One number for each entry.</returns>
    /// <exception cref="MaskException">The axis has no mask.</exception>
    public ReadOnlyMemory<float> Derivative(PruningAxes axis) => _derivatives.TryGetValue(axis, out float[]? d)
        ? d
        : throw new MaskException($"No {axis} mask was sampled. Sampled: {string.Join(", ", _derivatives.Keys.Select(MaskFamily.NameOf))}.");

    /// <summary>Draws masks.</summary>
    /// <param name="layout">The families.</param>
    /// <param name="logits">Logits of a family, flat and already clamped; valid while the call lasts.</param>
    /// <param name="noise">Uniform numbers.</param>
    internal static MaskSample Draw(MaskLayout layout, Func<MaskFamily, float[]> logits, IMaskNoise noise)
    {
        var values = new Dictionary<PruningAxes, float[]>();
        var derivatives = ImmutableSortedDictionary.CreateBuilder<PruningAxes, float[]>();
        double[] uniforms = new double[layout.Families.Max(f => f.Count)];
        foreach (MaskFamily family in layout.Families)
        {
            Span<double> u = uniforms.AsSpan(0, family.Count);
            noise.Fill(family, u);
            float[] a = logits(family), z = new float[a.Length], d = new float[a.Length];
            for (int i = 0; i < a.Length; i++)
            {
                if (!(u[i] > 0 && u[i] < 1))
                    throw new MaskException($"Entry {i} of the {family.Name} masks got the uniform number {u[i]}; it must be inside (0, 1). The source of the noise is {noise.GetType().Name}.");
                (double value, double derivative) = HardConcrete.Sample(a[i], u[i]);
                (z[i], d[i]) = ((float)value, (float)derivative);
            }

            values.Add(family.Axis, z);
            derivatives.Add(family.Axis, d);
        }

        return new MaskSample(layout, new MaskValues(layout.Source, values), derivatives.ToImmutable());
    }
}
