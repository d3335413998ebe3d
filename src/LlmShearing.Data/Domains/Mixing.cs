using System.Text;

namespace LlmShearing.Data.Domains;

/// <summary>Seeds from seeds, and uniform numbers by index: pure functions, so that a place in a stream is one number.</summary>
internal static class Mixing
{
    /// <summary>SplitMix64's step and finaliser: a bijection of 64 bits.</summary>
    public static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>A seed for a named stream; other names leave it alone.</summary>
    public static ulong Derive(int seed, string stream)
    {
        ulong hash = Mix((uint)seed);
        foreach (byte b in Encoding.UTF8.GetBytes(stream))
            hash = Mix(hash ^ b);
        return hash;
    }

    /// <summary>The number of a stream at an index, in [0, 1), 53 bits.</summary>
    public static double Uniform(ulong seed, ulong index) => (Mix(Mix(seed ^ 0xD1B54A32D192ED03UL) + index) >> 11) * (1.0 / (1UL << 53));
}
