using System.Buffers.Binary;
using System.Security.Cryptography;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Batches;

/// <summary>Tells data apart that have the same size, without reading all of it and without naming paths, so that a run may move to another folder.</summary>
internal static class RowFingerprint
{
    private const int Samples = 5;

    /// <summary>16 hex digits from the size and a few evenly spaced rows, the first and the last among them.</summary>
    public static string Of(ITokenRows rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, rows.Count);
        hash.AppendData(number);
        long last = rows.Count - 1;
        foreach (long row in Enumerable.Range(0, Samples).Select(i => (long)((Int128)last * i / (Samples - 1))).Distinct())
        {
            int[] ids = new int[rows.Length(row)];
            rows.Read(row, ids);
            foreach (int id in ids)
            {
                BinaryPrimitives.WriteInt32LittleEndian(number, id);
                hash.AppendData(number[..4]);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8));
    }
}
