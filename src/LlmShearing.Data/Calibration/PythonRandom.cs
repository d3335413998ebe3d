// The papers' scripts choose calibration rows with Python's `random`. The same generator gives the same rows for the same seed.
namespace LlmShearing.Data;

/// <summary>MT19937 seeded and read as CPython's <c>random.Random(seed).randint</c> does.</summary>
internal sealed class PythonRandom
{
    private const int Size = 624;
    private const int Middle = 397;
    private readonly uint[] _state = new uint[Size];
    private int _next = Size;

    public PythonRandom(uint seed)
    {
        // Knuth's initialiser with CPython's fixed number, then the seed mixed in as a key of length one.
        _state[0] = 19650218;
        for (uint i = 1; i < Size; i++)
            _state[i] = (1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + i;
        uint at = 1;
        for (int k = 0; k < Size; k++)
            Mix(ref at, 1664525, seed);
        for (int k = 0; k < Size - 1; k++)
            Mix(ref at, 1566083941, 0u - at);
        _state[0] = 0x80000000;
    }

    /// <summary>A number from 0 to <paramref name="last"/>, both included: as many bits as the count needs, drawn again while too large.</summary>
    public int UpTo(int last)
    {
        int bits = 32 - int.LeadingZeroCount(last + 1);
        while (true)
        {
            uint value = Next() >> (32 - bits);
            if (value <= (uint)last)
                return (int)value;
        }
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

    private uint Next()
    {
        if (_next == Size)
            Twist();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
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
