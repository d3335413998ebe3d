// Rows of calibration data that can share a matrix product: same length, and no attention mask between them.
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>Rows of equal length from one or more token batches.</summary>
internal sealed class CalibrationRows
{
    private readonly long[] _ids;     // [R, T]
    private readonly bool[] _real;    // [R, T]

    private CalibrationRows(int rows, int length, long[] ids, bool[] real, bool needsMask, int[] batches) =>
        (Rows, Length, _ids, _real, NeedsMask, Batches) = (rows, length, ids, real, needsMask, batches);

    /// <summary>Rows R.</summary>
    public int Rows { get; }

    /// <summary>Tokens a row T.</summary>
    public int Length { get; }

    /// <summary>Number of the token batch that each row came from [R].</summary>
    public int[] Batches { get; }

    /// <summary>Whether attention must be masked. Padding on the right needs no mask: causal attention never looks at it.</summary>
    public bool NeedsMask { get; }

    /// <summary>Tokens, padding included.</summary>
    public long Tokens => (long)Rows * Length;

    /// <summary>Whether a position holds a real token.</summary>
    public bool IsReal(int row, int position) => _real[(row * Length) + position];

    /// <summary>Position of the last real token of a row.</summary>
    public int LastReal(int row) => Array.LastIndexOf(_real, true, (row * Length) + Length - 1, Length) - (row * Length);

    /// <summary>Positions p of a row range whose next token is predicted and counts: p and p + 1 are real. Flat index (row - first) * T + p.</summary>
    public (long[] Positions, long[] Targets) Scored(int first, int count)
    {
        var positions = new List<long>(count * Length);
        var targets = new List<long>(count * Length);
        for (int row = first; row < first + count; row++)
            for (int t = 0; t + 1 < Length; t++)
                if (IsReal(row, t) && IsReal(row, t + 1))
                {
                    positions.Add(((long)(row - first) * Length) + t);
                    targets.Add(_ids[(row * Length) + t + 1]);
                }

        return ([.. positions], [.. targets]);
    }

    /// <summary>Token ids [R, T], int64.</summary>
    public Tensor Ids(Device device) => tensor(_ids, Rows, Length, device: device);

    /// <summary>A pass over <paramref name="count"/> rows from <paramref name="first"/>, counted round and round: row i of the pass is row (first + i) mod R.</summary>
    /// <remarks>Without a mask a pass does not depend on the number of rows, so one serves all slices.</remarks>
    public LlamaPass Begin(ILlamaSource source, int first, int count, LlamaGates? gates = null)
    {
        bool[]? mask = null;
        if (NeedsMask)
        {
            mask = new bool[count * Length];
            for (int i = 0; i < count; i++)
                Array.Copy(_real, (first + i) % Rows * Length, mask, i * Length, Length);
        }

        return LlamaPass.Begin(source.Config, count, Length, new ForwardOptions { AttentionMask = mask, Gates = gates }, source.Dtype, source.Device);
    }

    /// <summary>One group for each batch, in order.</summary>
    public static CalibrationRows Of(TokenBatch batch, int number = 0, bool countPadding = false)
    {
        long[] ids = new long[batch.Ids.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = batch.Ids[i];
        bool[] real = countPadding || batch.AttentionMask.IsEmpty ? Filled(ids.Length) : batch.AttentionMask.ToArray();
        bool needsMask = false;
        for (int i = 1; i < real.Length && !needsMask; i++)
            needsMask = i % batch.SequenceLength != 0 && real[i] && !real[i - 1];
        int[] batches = new int[batch.BatchSize];
        Array.Fill(batches, number);
        return new CalibrationRows(batch.BatchSize, batch.SequenceLength, ids, real, needsMask, batches);
    }

    /// <summary>Joins neighbouring batches of equal length and splits long ones, so that a group has at most <paramref name="maxTokens"/> tokens, but at least one row.</summary>
    public static List<CalibrationRows> Group(IReadOnlyList<TokenBatch> batches, long maxTokens, bool countPadding = false)
    {
        var groups = new List<CalibrationRows>();
        var open = new List<CalibrationRows>();
        int rows = 0;
        void Close()
        {
            if (open.Count > 0)
                groups.Add(open.Count == 1 ? open[0] : Join(open));
            open.Clear();
            rows = 0;
        }

        for (int number = 0; number < batches.Count; number++)
        {
            CalibrationRows whole = Of(batches[number], number, countPadding);
            int limit = (int)Math.Clamp(maxTokens / whole.Length, 1, int.MaxValue);
            for (int first = 0; first < whole.Rows;)
            {
                if (open.Count > 0 && (open[0].Length != whole.Length || open[0].NeedsMask != whole.NeedsMask || rows >= limit))
                    Close();
                int count = Math.Min(limit - rows, whole.Rows - first);
                open.Add(whole.Slice(first, count));
                rows += count;
                first += count;
            }
        }

        Close();
        return groups;
    }

    private CalibrationRows Slice(int first, int count) => count == Rows
        ? this
        : new CalibrationRows(count, Length, _ids[(first * Length)..((first + count) * Length)], _real[(first * Length)..((first + count) * Length)], NeedsMask, Batches[first..(first + count)]);

    private static CalibrationRows Join(List<CalibrationRows> parts) => new(
        parts.Sum(p => p.Rows),
        parts[0].Length,
        [.. parts.SelectMany(p => p._ids)],
        [.. parts.SelectMany(p => p._real)],
        parts[0].NeedsMask,
        [.. parts.SelectMany(p => p.Batches)]);

    private static bool[] Filled(int length)
    {
        bool[] all = new bool[length];
        Array.Fill(all, true);
        return all;
    }
}
