using LlmShearing.Training.Steps;

namespace LlmShearing.Masks;

/// <summary>
/// Uniform numbers in [1e-6, 1 - 1e-6] that depend on a seed, the kind of unit and the index of the entry only: the same on every machine, for any number of
/// threads, and when a step is computed again. Each number is the SplitMix64 hash of its index, with 53 random bits.
/// </summary>
/// <param name="seed">A seed of the micro-batch, for example from <see cref="MicroBatchKey.Derive"/>.</param>
public sealed class SeededMaskNoise(ulong seed) : IMaskNoise
{
    private const ulong Step = 0x9E3779B97F4A7C15UL;

    /// <inheritdoc/>
    public void Fill(MaskFamily family, Span<double> uniforms)
    {
        ArgumentNullException.ThrowIfNull(family);
        ulong state = Finalise(seed + Finalise((ulong)family.Axis));
        for (int i = 0; i < uniforms.Length; i++)
            uniforms[i] = HardConcrete.Epsilon + ((1 - (2 * HardConcrete.Epsilon)) * ((Finalise(state += Step) >> 11) * (1.0 / (1UL << 53))));
    }

    private static ulong Finalise(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
