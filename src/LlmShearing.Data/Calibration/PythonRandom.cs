// The papers' scripts choose calibration rows with Python's `random`. The same generator gives the same rows for the same seed.
namespace LlmShearing.Data.Calibration;

/// <summary>MT19937 seeded and read as CPython's <c>random.Random(seed).randint</c> does.</summary>
internal sealed class PythonRandom(uint seed)
{
    private readonly MersenneTwister _twister = MersenneTwister.FromKey(seed);

    /// <summary>A number from 0 to <paramref name="last"/>, both included: as many bits as the count needs, drawn again while too large.</summary>
    public int UpTo(int last)
    {
        int bits = 32 - int.LeadingZeroCount(last + 1);
        while (true)
        {
            uint value = _twister.Next() >> (32 - bits);
            if (value <= (uint)last)
                return (int)value;
        }
    }
}
