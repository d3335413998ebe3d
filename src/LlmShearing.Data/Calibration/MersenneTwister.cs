// The generator behind Python's `random` and NumPy's old `RandomState` (Matsumoto and Nishimura 1998, with the initialisers of 2002).
namespace LlmShearing.Data.Calibration;

/// <summary>MT19937.</summary>
internal sealed class MersenneTwister
{
    private const int Size = 624;
    private const int Middle = 397;
    private readonly uint[] _state = new uint[Size];
    private int _next = Size;

    /// <summary>Seeded by one number, as <c>numpy.random.seed</c> does.</summary>
    public MersenneTwister(uint seed)
    {
        _state[0] = seed;
        for (uint i = 1; i < Size; i++)
            _state[i] = (1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + i;
    }

    /// <summary>Seeded by a key of one number, as <c>random.seed</c> of CPython does.</summary>
    public static MersenneTwister FromKey(uint key)
    {
        var twister = new MersenneTwister(19650218);
        uint at = 1;
        for (int k = 0; k < Size; k++)
            twister.Mix(ref at, 1664525, key);
        for (int k = 0; k < Size - 1; k++)
            twister.Mix(ref at, 1566083941, 0u - at);
        twister._state[0] = 0x80000000;
        return twister;
    }

    /// <summary>The next 32 bits.</summary>
    public uint Next()
    {
        if (_next == Size)
            Twist();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    private void Mix(ref uint at, uint factor, uint add)
    {
        uint before = _state[at - 1];
        _state[at] = (_state[at] ^ ((before ^ (before >> 30)) * factor)) + add;
        if (++at < Size)
            return;
        _state[0] = _state[Size - 1];
        at = 1;
    }

    private void Twist()
    {
        for (int i = 0; i < Size; i++)
        {
            uint y = (_state[i] & 0x80000000) | (_state[(i + 1) % Size] & 0x7fffffff);
            _state[i] = _state[(i + Middle) % Size] ^ (y >> 1) ^ ((y & 1) * 0x9908b0df);
        }

        _next = 0;
    }
}
