// Adam's arithmetic over plain memory: one pass that reads parameter, gradient and both moments and writes all but the gradient,
// and the sum of squares of a gradient. Work is cut into fixed pieces, so that results do not depend on the number of threads.
using System.Numerics;
using System.Runtime.CompilerServices;

namespace LlmShearing.Training.Optimization;

/// <summary>Numbers of one update; the same for all elements of a parameter.</summary>
/// <param name="GradientScale">Factor of the gradient: clipping, and -1 for ascent.</param>
/// <param name="Keep">Factor of the parameter before the update: 1 - decay.</param>
/// <param name="L2">Decay that is added to the gradient.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="StepSize">lr / (1 - beta1^t).</param>
/// <param name="RootScale">1 / sqrt(1 - beta2^t).</param>
/// <param name="Epsilon">Added to the root.</param>
internal readonly record struct AdamUpdate(float GradientScale, float Keep, float L2, double Beta1, double Beta2, float StepSize, float RootScale, float Epsilon);

/// <summary>A stretch of float32 memory of one parameter, at most <see cref="AdamKernel.Piece"/> long.</summary>
internal unsafe struct AdamPiece
{
    public float* Parameter, Gradient, First, Second;
    public int Length;
    public AdamUpdate Update;
}

internal static unsafe class AdamKernel
{
    /// <summary>Elements of a piece: four arrays of 256 KiB.</summary>
    public const int Piece = 64 << 10;

    /// <summary>p, m, v of one piece after one step; for the formulas see <see cref="AdamWOptimizer"/>.</summary>
    public static void Apply(in AdamPiece piece)
    {
        AdamUpdate u = piece.Update;
        float beta1 = (float)u.Beta1, beta2 = (float)u.Beta2, rest1 = (float)(1 - u.Beta1), rest2 = (float)(1 - u.Beta2);
        float* p = piece.Parameter, g = piece.Gradient, m = piece.First, v = piece.Second;
        int i = 0, width = Vector<float>.Count;
        Vector<float> scale = new(u.GradientScale), keep = new(u.Keep), l2 = new(u.L2), b1 = new(beta1), b2 = new(beta2), r1 = new(rest1), r2 = new(rest2);
        Vector<float> size = new(u.StepSize), root = new(u.RootScale), epsilon = new(u.Epsilon);
        for (; i <= piece.Length - width; i += width)
        {
            Vector<float> parameter = Load(p + i) * keep;
            Vector<float> gradient = (Load(g + i) * scale) + (parameter * l2);
            Vector<float> first = (Load(m + i) * b1) + (gradient * r1);
            Vector<float> second = (Load(v + i) * b2) + (gradient * gradient * r2);
            Store(m + i, first);
            Store(v + i, second);
            Store(p + i, parameter - (size * (first / ((Vector.SquareRoot(second) * root) + epsilon))));
        }

        for (; i < piece.Length; i++)
        {
            float parameter = p[i] * u.Keep;
            float gradient = (g[i] * u.GradientScale) + (parameter * u.L2);
            m[i] = (m[i] * beta1) + (gradient * rest1);
            v[i] = (v[i] * beta2) + (gradient * gradient * rest2);
            p[i] = parameter - (u.StepSize * (m[i] / ((MathF.Sqrt(v[i]) * u.RootScale) + u.Epsilon)));
        }
    }

    /// <summary>Sum of squares in double precision.</summary>
    public static double SumOfSquares(float* values, int length)
    {
        int i = 0, width = Vector<float>.Count;
        Vector<double> low = Vector<double>.Zero, high = Vector<double>.Zero;
        for (; i <= length - width; i += width)
        {
            Vector.Widen(Load(values + i), out Vector<double> a, out Vector<double> b);
            low += a * a;
            high += b * b;
        }

        double sum = Vector.Sum(low + high);
        for (; i < length; i++)
            sum += (double)values[i] * values[i];
        return sum;
    }

    /// <summary>Largest magnitude; NaN where there is one.</summary>
    public static double LargestMagnitude(float* values, int length)
    {
        int i = 0, width = Vector<float>.Count;
        Vector<float> largest = Vector<float>.Zero;
        for (; i <= length - width; i += width)
            largest = Vector.Max(largest, Vector.Abs(Load(values + i)));   // passes NaN on
        float result = 0;
        for (int k = 0; k < width; k++)
            result = MathF.Max(result, largest[k]);
        for (; i < length; i++)
            result = MathF.Max(result, MathF.Abs(values[i]));
        return result;
    }

    private static Vector<float> Load(float* address) => Unsafe.ReadUnaligned<Vector<float>>(address);

    private static void Store(float* address, Vector<float> value) => Unsafe.WriteUnaligned(address, value);
}
