// Thin matrix products over plain memory, one row of activations after another: what an adapter adds to a projection, without a temporary of the
// activations' size. Ranks are padded to whole groups of four with zeros. Vectors are read along rows, so that every row comes from memory once.
using System.Numerics;
using System.Runtime.CompilerServices;

namespace LlmShearing.Lora;

internal static unsafe class LowRankKernel
{
    /// <summary>Ranks handled at once.</summary>
    public const int Group = 4;

    /// <summary>The rank with padding.</summary>
    public static int Padded(int rank) => (rank + Group - 1) / Group * Group;

    /// <summary>h = scale · x mᵀ.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="m">[rank, width].</param>
    /// <param name="h">Receives [rows, rank].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="rank">A multiple of <see cref="Group"/>.</param>
    /// <param name="scale">Factor of the result.</param>
    public static void Project(float* x, float* m, float* h, int rows, int width, int rank, float scale)
    {
        // Two rows share what is read of m; an odd last row is computed twice, with the same result.
        for (int k = 0; k < rank; k += Group)
            for (int row = 0; row < rows; row += 2)
            {
                int other = Math.Min(row + 1, rows - 1);
                ProjectGroup(x + ((long)row * width), x + ((long)other * width), m + ((long)k * width), h + ((long)row * rank) + k, h + ((long)other * rank) + k, width, scale);
            }
    }

    /// <summary>y += h m, or y += (h m) ∘ mask.</summary>
    /// <param name="y">[rows, width], changed.</param>
    /// <param name="m">[rank, width].</param>
    /// <param name="h">[rows, rank].</param>
    /// <param name="mask">[rows, width], or null.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="rank">A multiple of <see cref="Group"/>.</param>
    public static void Expand(float* y, float* m, float* h, float* mask, int rows, int width, int rank)
    {
        for (int k = 0; k < rank; k += Group)
            for (int row = 0; row < rows; row++)
                ExpandGroup(y + ((long)row * width), m + ((long)k * width), h + ((long)row * rank) + k, mask is null ? null : mask + ((long)row * width), width);
    }

    /// <summary>d += gᵀ x.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="g">[rows, rank].</param>
    /// <param name="d">[rank, width], changed.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="rank">A multiple of <see cref="Group"/>.</param>
    public static void Accumulate(float* x, float* g, float* d, int rows, int width, int rank)
    {
        for (int k = 0; k < rank; k += Group)
            AccumulateGroup(x, g + k, d + ((long)k * width), rows, width, rank);
    }

    /// <summary>y *= x.</summary>
    public static void Multiply(float* y, float* x, int count)
    {
        int i = 0, step = Vector<float>.Count;
        for (; i <= count - step; i += step)
            Store(y + i, Load(y + i) * Load(x + i));
        for (; i < count; i++)
            y[i] *= x[i];
    }

    /// <summary>y += x.</summary>
    public static void Add(float* y, float* x, int count)
    {
        int i = 0, step = Vector<float>.Count;
        for (; i <= count - step; i += step)
            Store(y + i, Load(y + i) + Load(x + i));
        for (; i < count; i++)
            y[i] += x[i];
    }

    private static void ProjectGroup(float* x, float* y, float* m, float* hx, float* hy, int width, float scale)
    {
        float* m1 = m + width, m2 = m1 + width, m3 = m2 + width;
        Vector<float> x0 = default, x1 = default, x2 = default, x3 = default, y0 = default, y1 = default, y2 = default, y3 = default;
        int i = 0, step = Vector<float>.Count;
        for (; i <= width - step; i += step)
        {
            Vector<float> a = Load(x + i), b = Load(y + i), v = Load(m + i);
            x0 = MultiplyAdd(a, v, x0);
            y0 = MultiplyAdd(b, v, y0);
            v = Load(m1 + i);
            x1 = MultiplyAdd(a, v, x1);
            y1 = MultiplyAdd(b, v, y1);
            v = Load(m2 + i);
            x2 = MultiplyAdd(a, v, x2);
            y2 = MultiplyAdd(b, v, y2);
            v = Load(m3 + i);
            x3 = MultiplyAdd(a, v, x3);
            y3 = MultiplyAdd(b, v, y3);
        }

        float s0 = Vector.Sum(x0), s1 = Vector.Sum(x1), s2 = Vector.Sum(x2), s3 = Vector.Sum(x3);
        float t0 = Vector.Sum(y0), t1 = Vector.Sum(y1), t2 = Vector.Sum(y2), t3 = Vector.Sum(y3);
        for (; i < width; i++)
        {
            s0 += x[i] * m[i];
            s1 += x[i] * m1[i];
            s2 += x[i] * m2[i];
            s3 += x[i] * m3[i];
            t0 += y[i] * m[i];
            t1 += y[i] * m1[i];
            t2 += y[i] * m2[i];
            t3 += y[i] * m3[i];
        }

        (hx[0], hx[1], hx[2], hx[3]) = (s0 * scale, s1 * scale, s2 * scale, s3 * scale);
        (hy[0], hy[1], hy[2], hy[3]) = (t0 * scale, t1 * scale, t2 * scale, t3 * scale);
    }

    private static void ExpandGroup(float* y, float* m, float* h, float* mask, int width)
    {
        float* m1 = m + width, m2 = m1 + width, m3 = m2 + width;
        Vector<float> h0 = new(h[0]), h1 = new(h[1]), h2 = new(h[2]), h3 = new(h[3]);
        int i = 0, step = Vector<float>.Count;
        if (mask is null)
        {
            for (; i <= width - step; i += step)
                Store(y + i, MultiplyAdd(h0, Load(m + i), MultiplyAdd(h1, Load(m1 + i), MultiplyAdd(h2, Load(m2 + i), MultiplyAdd(h3, Load(m3 + i), Load(y + i))))));
        }
        else
        {
            for (; i <= width - step; i += step)
                Store(y + i, MultiplyAdd(Load(mask + i), MultiplyAdd(h0, Load(m + i), MultiplyAdd(h1, Load(m1 + i), MultiplyAdd(h2, Load(m2 + i), h3 * Load(m3 + i)))), Load(y + i)));
        }

        for (; i < width; i++)
        {
            float sum = (h[0] * m[i]) + (h[1] * m1[i]) + (h[2] * m2[i]) + (h[3] * m3[i]);
            y[i] += mask is null ? sum : mask[i] * sum;
        }
    }

    private static void AccumulateGroup(float* x, float* g, float* d, int rows, int width, int rank)
    {
        float* d1 = d + width, d2 = d1 + width, d3 = d2 + width;
        int i = 0, step = Vector<float>.Count;
        for (; i <= width - (2 * step); i += 2 * step)
        {
            Vector<float> a0 = Load(d + i), a1 = Load(d1 + i), a2 = Load(d2 + i), a3 = Load(d3 + i);
            Vector<float> b0 = Load(d + i + step), b1 = Load(d1 + i + step), b2 = Load(d2 + i + step), b3 = Load(d3 + i + step);
            float* at = x + i, by = g;
            for (int row = 0; row < rows; row++, at += width, by += rank)
            {
                Vector<float> v = Load(at), w = Load(at + step), c = new(by[0]);
                a0 = MultiplyAdd(c, v, a0);
                b0 = MultiplyAdd(c, w, b0);
                c = new Vector<float>(by[1]);
                a1 = MultiplyAdd(c, v, a1);
                b1 = MultiplyAdd(c, w, b1);
                c = new Vector<float>(by[2]);
                a2 = MultiplyAdd(c, v, a2);
                b2 = MultiplyAdd(c, w, b2);
                c = new Vector<float>(by[3]);
                a3 = MultiplyAdd(c, v, a3);
                b3 = MultiplyAdd(c, w, b3);
            }

            Store(d + i, a0);
            Store(d1 + i, a1);
            Store(d2 + i, a2);
            Store(d3 + i, a3);
            Store(d + i + step, b0);
            Store(d1 + i + step, b1);
            Store(d2 + i + step, b2);
            Store(d3 + i + step, b3);
        }

        for (; i < width; i++)
            for (int row = 0; row < rows; row++)
            {
                float v = x[((long)row * width) + i];
                float* by = g + ((long)row * rank);
                d[i] += by[0] * v;
                d1[i] += by[1] * v;
                d2[i] += by[2] * v;
                d3[i] += by[3] * v;
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) => Vector.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Load(float* address) => Unsafe.ReadUnaligned<Vector<float>>(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* address, Vector<float> value) => Unsafe.WriteUnaligned(address, value);
}
