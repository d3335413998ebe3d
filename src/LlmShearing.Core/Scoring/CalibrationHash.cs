// A fingerprint of calibration data for provenance, taken as the batches pass by.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace LlmShearing.Scoring;

/// <summary>
/// SHA-256 over the rows in order: number of real tokens, then their ids, as little-endian 32-bit integers. Padding and the grouping into batches do not count.
/// </summary>
internal sealed class CalibrationHash : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string? _value;
    private bool _any;

    /// <summary>Lower-case hex; null when nothing was read.</summary>
    public string? Value => _any ? _value ??= Convert.ToHexStringLower(_hash.GetHashAndReset()) : null;

    /// <summary>The same batches; each is added when it is taken.</summary>
    public IEnumerable<TokenBatch> Through(IEnumerable<TokenBatch> batches)
    {
        foreach (TokenBatch batch in batches)
        {
            Add(batch);
            yield return batch;
        }
    }

    public void Dispose() => _hash.Dispose();

    private void Add(TokenBatch batch)
    {
        _any = true;
        int[] row = new int[batch.SequenceLength + 1];
        for (int r = 0; r < batch.BatchSize; r++)
        {
            int length = 0;
            ReadOnlySpan<int> ids = batch.Ids.Slice(r * batch.SequenceLength, batch.SequenceLength);
            for (int t = 0; t < ids.Length; t++)
                if (batch.IsReal(r, t))
                    row[++length] = ids[t];
            row[0] = length;
            Span<int> used = row.AsSpan(0, length + 1);
            if (!BitConverter.IsLittleEndian)
                BinaryPrimitives.ReverseEndianness(used, used);
            _hash.AppendData(MemoryMarshal.AsBytes(used));
        }
    }
}
