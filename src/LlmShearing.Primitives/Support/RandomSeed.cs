// Seeds that depend on where a random number is used and on nothing else, so that work that is resumed draws the same numbers.
namespace LlmShearing.Support;

/// <summary>Derives seeds of named streams of random numbers from one root seed.</summary>
public static class RandomSeed
{
    /// <summary>A seed for one stream of random numbers.</summary>
    /// <param name="seed">Root seed.</param>
    /// <param name="place">Where the numbers are used, such as a step or a row.</param>
    /// <param name="part">A part of that place, such as a micro-batch.</param>
    /// <param name="stream">Which numbers there, such as the index of a projection.</param>
    /// <returns>A well mixed 64-bit seed.</returns>
    public static ulong Derive(int seed, long place, int part, ulong stream)
    {
        ulong z = Mix((ulong)(uint)seed) ^ Mix((ulong)place + 0x632BE59BD9B4E019UL);
        return Mix(Mix(z ^ ((ulong)(uint)part << 32)) + stream);
    }

    // SplitMix64's finaliser.
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
