// XXH64, which MDS indexes name most often. Written from the published specification of the algorithm; .NET itself has it only in a separate package.
using System.Buffers.Binary;
using System.Numerics;

namespace LlmShearing.Data.Compression;

/// <summary>The 64-bit xxHash, seed 0, fed in pieces of any size.</summary>
internal sealed class XxHash64
{
    private const ulong P1 = 0x9E3779B185EBCA87;
    private const ulong P2 = 0xC2B2AE3D27D4EB4F;
    private const ulong P3 = 0x165667B19E3779F9;
    private const ulong P4 = 0x85EBCA77C2B2AE63;
    private const ulong P5 = 0x27D4EB2F165667C5;
    private const int StripeBytes = 32;

    private readonly ulong[] _lanes = [unchecked(P1 + P2), P2, 0, unchecked(0 - P1)];
    private readonly byte[] _stripe = new byte[StripeBytes];
    private int _waiting;
    private ulong _length;

    public void Append(ReadOnlySpan<byte> data)
    {
        _length += (ulong)data.Length;
        if (_waiting > 0)
        {
            int take = Math.Min(StripeBytes - _waiting, data.Length);
            data[..take].CopyTo(_stripe.AsSpan(_waiting));
            _waiting += take;
            data = data[take..];
            if (_waiting < StripeBytes)
                return;
            Consume(_stripe);
            _waiting = 0;
        }

        for (; data.Length >= StripeBytes; data = data[StripeBytes..])
            Consume(data);
        data.CopyTo(_stripe);
        _waiting = data.Length;
    }

    public ulong Finish()
    {
        unchecked
        {
            ulong h = P5;
            if (_length >= StripeBytes)
            {
                h = BitOperations.RotateLeft(_lanes[0], 1) + BitOperations.RotateLeft(_lanes[1], 7) + BitOperations.RotateLeft(_lanes[2], 12) + BitOperations.RotateLeft(_lanes[3], 18);
                foreach (ulong lane in _lanes)
                    h = ((h ^ Round(0, lane)) * P1) + P4;
            }

            h += _length;
            ReadOnlySpan<byte> rest = _stripe.AsSpan(0, _waiting);
            for (; rest.Length >= 8; rest = rest[8..])
                h = (BitOperations.RotateLeft(h ^ Round(0, BinaryPrimitives.ReadUInt64LittleEndian(rest)), 27) * P1) + P4;
            if (rest.Length >= 4)
            {
                h = (BitOperations.RotateLeft(h ^ (BinaryPrimitives.ReadUInt32LittleEndian(rest) * P1), 23) * P2) + P3;
                rest = rest[4..];
            }

            foreach (byte b in rest)
                h = BitOperations.RotateLeft(h ^ (b * P5), 11) * P1;
            h = (h ^ (h >> 33)) * P2;
            h = (h ^ (h >> 29)) * P3;
            return h ^ (h >> 32);
        }
    }

    private void Consume(ReadOnlySpan<byte> stripe)
    {
        for (int i = 0; i < 4; i++)
            _lanes[i] = Round(_lanes[i], BinaryPrimitives.ReadUInt64LittleEndian(stripe[(8 * i)..]));
    }

    private static ulong Round(ulong lane, ulong value) => unchecked(BitOperations.RotateLeft(lane + (value * P2), 31) * P1);
}
