// The running log-sum-exp of rows of logits that come in slices of the vocabulary, over plain memory: one read of the logits in their own type where
// operators convert, subtract, exponentiate and sum in a pass each.
using System.Runtime.Intrinsics;
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Kernels;

internal sealed unsafe class LogSumExpKernel(int rows)
{
    private readonly float[] _largest = [.. Enumerable.Repeat(float.NegativeInfinity, rows)];
    private readonly double[] _sums = new double[rows];   // of exp(logit - largest)

    /// <summary>Whether logits can be worked on here: contiguous float32 or bfloat16 on the CPU.</summary>
    public static bool Serves(Tensor logits) => CrossEntropyKernel.Serves(logits);

    /// <summary>Takes in a slice of the vocabulary.</summary>
    /// <param name="logits">[rows, any].</param>
    public void Add(Tensor logits)
    {
        int width = (int)logits.shape[1];
        bool wide = logits.dtype == ScalarType.Float32;
        nint start = (nint)new WeightMemory(logits).Start;
        HostThreads.For((rows + RowsOfPiece - 1) / RowsOfPiece, piece =>
        {
            for (int row = piece * RowsOfPiece; row < Math.Min(rows, (piece + 1) * RowsOfPiece); row++)
            {
                long first = (long)row * width;
                (float largest, double sum) = wide ? Sum((float*)start + first, width) : Sum((ushort*)start + first, width);
                float most = MathF.Max(largest, _largest[row]);
                _sums[row] = float.IsNegativeInfinity(most) ? 0 : (_sums[row] * Math.Exp(_largest[row] - most)) + (sum * Math.Exp(largest - most));
                _largest[row] = most;
            }
        });
        GC.KeepAlive(logits);
    }

    /// <summary>The result so far.</summary>
    /// <returns>One value a row.</returns>
    public float[] Values() => [.. _largest.Zip(_sums, (largest, sum) => (float)(largest + Math.Log(sum)))];

    private const int RowsOfPiece = 16;

    private static (float Largest, double Sum) Sum(float* values, int count)
    {
        Vector512<float> most = Vector512.Create(float.NegativeInfinity);
        int i = 0;
        for (; i <= count - 16; i += 16)
            most = Vector512.Max(most, Vector512.Load(values + i));
        float largest = Largest(most);
        for (; i < count; i++)
            largest = MathF.Max(largest, values[i]);
        Vector512<float> shift = Vector512.Create(largest), sums = Vector512<float>.Zero;
        for (i = 0; i <= count - 16; i += 16)
            sums += Vector512.Exp(Vector512.Load(values + i) - shift);
        double sum = Total(sums);
        for (; i < count; i++)
            sum += MathF.Exp(values[i] - largest);
        return (largest, sum);
    }

    private static (float Largest, double Sum) Sum(ushort* values, int count)
    {
        Vector512<float> most = Vector512.Create(float.NegativeInfinity);
        int i = 0;
        for (; i <= count - 32; i += 32)
        {
            (Vector512<float> low, Vector512<float> high) = Wide(values + i);
            most = Vector512.Max(most, Vector512.Max(low, high));
        }

        float largest = Largest(most);
        for (; i < count; i++)
            largest = MathF.Max(largest, BitConverter.UInt32BitsToSingle((uint)values[i] << 16));
        Vector512<float> shift = Vector512.Create(largest), sums = Vector512<float>.Zero;
        for (i = 0; i <= count - 32; i += 32)
        {
            (Vector512<float> low, Vector512<float> high) = Wide(values + i);
            sums += Vector512.Exp(low - shift) + Vector512.Exp(high - shift);
        }

        double sum = Total(sums);
        for (; i < count; i++)
            sum += MathF.Exp(BitConverter.UInt32BitsToSingle((uint)values[i] << 16) - largest);
        return (largest, sum);
    }

    private static (Vector512<float> Low, Vector512<float> High) Wide(ushort* values)
    {
        (Vector512<uint> low, Vector512<uint> high) = Vector512.Widen(Vector512.Load(values));
        return (Vector512.ShiftLeft(low, 16).AsSingle(), Vector512.ShiftLeft(high, 16).AsSingle());
    }

    private static float Largest(Vector512<float> values)
    {
        float largest = float.NegativeInfinity;
        for (int k = 0; k < 16; k++)
            largest = MathF.Max(largest, values[k]);
        return largest;
    }

    // Partial sums are of a few hundred terms between 0 and 1 each, so float32 holds them; adding them up is double.
    private static double Total(Vector512<float> sums)
    {
        double total = 0;
        for (int k = 0; k < 16; k++)
            total += sums[k];
        return total;
    }
}
