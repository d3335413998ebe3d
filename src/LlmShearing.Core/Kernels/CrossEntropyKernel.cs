// Cross entropy with its gradient over plain memory, a row of logits at a time: as operators it is half a dozen passes over the largest matrix of a step, and
// needs it in float32; here a row is read, widened, and written once in its own type while it is in the cache. Rows do not depend on the number of threads.
using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Kernels;

/// <summary>Cross entropy with its gradient over plain memory, a row of logits at a time.</summary>
public static unsafe class CrossEntropyKernel
{
    /// <summary>Whether logits can be worked on here: contiguous float32 or bfloat16 on the CPU.</summary>
    public static bool Serves(Tensor logits) =>
        logits.dtype is ScalarType.Float32 or ScalarType.BFloat16 && HostMemory.Serves(logits) && logits.is_contiguous();

    /// <summary>Turns logits into scale * (softmax - onehot), in float32 arithmetic, rounded once.</summary>
    /// <param name="logits">[n, V], overwritten.</param>
    /// <param name="targets">[n], int64, each below V.</param>
    /// <param name="scale">Weight of one token.</param>
    /// <returns>Sum of the losses, in nats.</returns>
    public static double InPlace(Tensor logits, Tensor targets, double scale)
    {
        int rows = (int)logits.shape[0], width = (int)logits.shape[1];
        long[] ids = HostValues.Longs(targets);
        if (Array.FindIndex(ids, id => id < 0 || id >= width) is >= 0 and int outside)
            throw new ArgumentException($"Target {outside} is {ids[outside]}, but the logits are of a vocabulary of {width}.", nameof(targets));
        double[] losses = new double[rows];
        var memory = new WeightMemory(logits);
        bool wide = logits.dtype == ScalarType.Float32;
        nint start = (nint)memory.Start;
        HostThreads.For(rows, row =>
        {
            float[]? rented = wide ? null : ArrayPool<float>.Shared.Rent(width);
            fixed (float* buffer = rented)
            {
                float* values = wide ? (float*)start + ((long)row * width) : buffer;
                ushort* narrow = (ushort*)start + ((long)row * width);
                float largest = wide ? Largest(values, width) : Widen(narrow, values, width);
                float target = values[ids[row]];
                double sum = Exponentials(values, width, largest);
                losses[row] = largest + Math.Log(sum) - target;
                float factor = (float)(scale / sum);
                values[ids[row]] -= (float)sum;                      // times factor: -scale
                if (wide)
                    Scale(values, width, factor);
                else
                    Narrow(values, narrow, width, factor);
            }

            if (rented is not null)
                ArrayPool<float>.Shared.Return(rented);
        });
        GC.KeepAlive(logits);
        double total = 0;
        foreach (double loss in losses)
            total += loss;
        return total;
    }

    private static float Largest(float* values, int count)
    {
        Vector512<float> most = Vector512.Create(float.NegativeInfinity);
        int i = 0;
        for (; i <= count - 16; i += 16)
            most = Vector512.Max(most, Vector512.Load(values + i));  // NaN goes through
        float largest = float.NegativeInfinity;
        for (int k = 0; k < 16; k++)
            largest = MathF.Max(largest, most[k]);
        for (; i < count; i++)
            largest = MathF.Max(largest, values[i]);
        return largest;
    }

    // bfloat16 -> float32; gives the largest.
    private static float Widen(ushort* from, float* to, int count)
    {
        Vector512<float> most = Vector512.Create(float.NegativeInfinity);
        int i = 0;
        for (; i <= count - 32; i += 32)
        {
            (Vector512<uint> low, Vector512<uint> high) = Vector512.Widen(Vector512.Load(from + i));
            Vector512<float> a = Vector512.ShiftLeft(low, 16).AsSingle(), b = Vector512.ShiftLeft(high, 16).AsSingle();
            a.Store(to + i);
            b.Store(to + i + 16);
            most = Vector512.Max(most, Vector512.Max(a, b));
        }

        float largest = float.NegativeInfinity;
        for (int k = 0; k < 16; k++)
            largest = MathF.Max(largest, most[k]);
        for (; i < count; i++)
            largest = MathF.Max(largest, to[i] = BitConverter.UInt32BitsToSingle((uint)from[i] << 16));
        return largest;
    }

    // values = exp(values - largest); gives their sum.
    private static double Exponentials(float* values, int count, float largest)
    {
        Vector512<float> shift = Vector512.Create(largest);
        Vector512<double> low = Vector512<double>.Zero, high = Vector512<double>.Zero;
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            Vector512<float> e = Vector512.Exp(Vector512.Load(values + i) - shift);
            e.Store(values + i);
            (Vector512<double> a, Vector512<double> b) = Vector512.Widen(e);
            low += a;
            high += b;
        }

        double sum = Vector512.Sum(low + high);
        for (; i < count; i++)
            sum += values[i] = MathF.Exp(values[i] - largest);
        return sum;
    }

    private static void Scale(float* values, int count, float factor)
    {
        int i = 0;
        for (; i <= count - 16; i += 16)
            (Vector512.Load(values + i) * factor).Store(values + i);
        for (; i < count; i++)
            values[i] *= factor;
    }

    // float32 times factor -> bfloat16, to nearest even.
    private static void Narrow(float* from, ushort* to, int count, float factor)
    {
        int i = 0;
        for (; i <= count - 32; i += 32)
            Vector512.Narrow(Round(Vector512.Load(from + i) * factor), Round(Vector512.Load(from + i + 16) * factor)).Store(to + i);
        for (; i < count; i++)
            to[i] = Round(from[i] * factor);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Round(Vector512<float> x)
    {
        Vector512<uint> bits = x.AsUInt32();
        Vector512<uint> odd = Vector512.ShiftRightLogical(bits, 16) & Vector512<uint>.One;
        Vector512<uint> rounded = Vector512.ShiftRightLogical(bits + odd + Vector512.Create(0x7FFFu), 16);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, Vector512.Create(0x7FC0u));
    }

    private static ushort Round(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? (ushort)0x7FC0 : (ushort)((bits + ((bits >> 16) & 1) + 0x7FFF) >> 16);
    }
}
