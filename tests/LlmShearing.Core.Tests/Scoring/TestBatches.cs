using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

/// <summary>Calibration batches of every kind: full, padded on the right, padded on the left.</summary>
internal static class TestBatches
{
    public static TokenBatch[] Full(int count = 2, int rows = 2, int length = 9) =>
        [.. Enumerable.Range(0, count).Select(i => TinyLlama.Batch(10 + i, rows, length))];

    public static TokenBatch[] Mixed() =>
    [
        TinyLlama.Batch(1, 2, 9),
        TokenBatch.FromRows(TinyLlama.Rows(2, 50, 9, 5, 2)),
        LeftPadded(TinyLlama.Rows(3, 50, 4, 8, 3)),
        TinyLlama.Batch(4, 1, 12),
    ];

    public static TokenBatch LeftPadded(int[][] rows)
    {
        int length = rows.Max(r => r.Length);
        int[] ids = [.. rows.SelectMany(r => Enumerable.Repeat(7, length - r.Length).Concat(r))];
        bool[] mask = [.. rows.SelectMany(r => Enumerable.Repeat(false, length - r.Length).Concat(Enumerable.Repeat(true, r.Length)))];
        return new TokenBatch(rows.Length, length, ids, mask);
    }
}
