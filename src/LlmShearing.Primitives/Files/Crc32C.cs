// CRC-32C (Castagnoli): the checksum of TensorBoard's record files, and fast enough (a machine instruction for eight bytes) to check whole
// training checkpoints for damage.
using System.Buffers.Binary;
using System.Numerics;

namespace LlmShearing.Files;

/// <summary>CRC-32C (Castagnoli).</summary>
public static class Crc32C
{
    /// <summary>Checksum of bytes; give the result for what came before to go on with it.</summary>
    public static uint Compute(ReadOnlySpan<byte> data, uint before = 0)
    {
        uint crc = ~before;
        for (; data.Length >= sizeof(ulong); data = data[sizeof(ulong)..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
        foreach (byte b in data)
            crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }

    /// <summary>The form in which TFRecord files store it, so that a checksum of data that holds checksums stays useful.</summary>
    public static uint Masked(ReadOnlySpan<byte> data) => BitOperations.RotateRight(Compute(data), 15) + 0xA282EAD8;
}
