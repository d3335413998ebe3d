// The order of rows: a seeded permutation of which any place can be asked for directly. Nothing is stored but its keys, so a cursor is one number however
// long the data are, and going to place 10^10 costs what going to place 10 costs.
using System.Numerics;
using LlmShearing.Data.Domains;

namespace LlmShearing.Data.Batches;

/// <summary>
/// A seeded permutation of 0..N-1 without a table: a Feistel network over the next power of two, walked along its cycle until it falls below N (fewer than two
/// steps on average). Equal (count, seed) give equal orders on every machine.
/// </summary>
internal readonly struct RowPermutation
{
    private readonly ulong _seed;
    private readonly uint _rounds;
    private readonly int _lowBits;
    private readonly ulong _lowMask;
    private readonly ulong _highMask;

    /// <summary>Chooses a permutation.</summary>
    /// <param name="count">N, 1 to 2^62.</param>
    /// <param name="seed">Any number.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is below 1 or above 2^62.</exception>
    public RowPermutation(long count, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1L << 62);
        Count = count;
        _seed = Mixing.Mix(seed);
        int bits = 64 - BitOperations.LeadingZeroCount((ulong)count - 1);
        _rounds = bits < 12 ? 40u : 10u;   // a round on few bits does little: with 10 rounds the orders of 5 rows are not equally frequent
        _lowBits = bits / 2;
        _lowMask = (1UL << _lowBits) - 1;
        _highMask = (1UL << (bits - _lowBits)) - 1;
    }

    /// <summary>N.</summary>
    public long Count { get; }

    /// <summary>What stands at a place of the order.</summary>
    /// <param name="position">0-based place, below <see cref="Count"/>.</param>
    /// <returns>A number in 0..N-1; every number stands at one place.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such place.</exception>
    public long At(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, Count);
        ulong x = (ulong)position;
        do
            x = Shuffle(x);
        while (x >= (ulong)Count);
        return (long)x;
    }

    // Each round xors one half with a hash of the other, which can be undone: a bijection whatever the hash.
    private ulong Shuffle(ulong x)
    {
        ulong high = x >> _lowBits, low = x & _lowMask;
        for (uint round = 0; round < _rounds; round += 2)
        {
            high ^= Mixing.Mix(_seed + round + (low << 8)) >> 17 & _highMask;
            low ^= Mixing.Mix(_seed + round + 1 + (high << 8)) >> 17 & _lowMask;
        }

        return (high << _lowBits) | low;
    }
}
