// An adapter's share of a projection, forward and backward, in one walk over the rows of plain float32 memory: every row is read once, dropout's
// mask is made where it is used, and nothing of the activations' size is allocated. Rows are cut into pieces whose number depends on the rows
// alone, so that results do not depend on the number of threads.
using System.Buffers;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

/// <summary>One adapter of one pass: sizes, factors and mask. Make and dispose it around a pass; the tensors must outlive it.</summary>
internal sealed unsafe class LowRankUpdate : IDisposable
{
    private const int SmallestPiece = 128, MostPieces = 64;
    private const int TileBytes = 64 << 10;

    private readonly int _rows, _in, _out, _rank, _padded, _pieceRows, _pieces, _tile;
    private readonly float _scale;
    private readonly DropoutMask? _mask;
    private float* _a, _b;   // [padded, in], [padded, out]

    /// <param name="a">A [r, in].</param>
    /// <param name="b">B [out, r].</param>
    /// <param name="rows">N.</param>
    /// <param name="scale">s.</param>
    /// <param name="mask">Dropout of x, or null.</param>
    public LowRankUpdate(Tensor a, Tensor b, long rows, double scale, DropoutMask? mask)
    {
        (_rank, _in, _out, _rows) = ((int)a.shape[0], (int)a.shape[1], (int)b.shape[0], (int)rows);
        (_padded, _scale, _mask) = (LowRankKernel.Padded(_rank), (float)scale, mask);
        _pieceRows = Math.Max(SmallestPiece, (_rows + MostPieces - 1) / MostPieces);
        _pieces = (_rows + _pieceRows - 1) / _pieceRows;
        _tile = Math.Clamp(TileBytes / sizeof(float) / Math.Max(_in, _out), 2, 32);
        _a = Zeros((long)_padded * _in);
        _b = Zeros((long)_padded * _out);
        float* from = Floats(a), columns = Floats(b);
        new Span<float>(from, _rank * _in).CopyTo(new Span<float>(_a, _rank * _in));
        for (int o = 0; o < _out; o++)
            for (int k = 0; k < _rank; k++)
                _b[((long)k * _out) + o] = columns[((long)o * _rank) + k];
    }

    /// <summary>Length of a row of h: the rank, padded.</summary>
    public int Padded => _padded;

    /// <summary>Whether tensors of these sizes can be worked on; larger ones have no spans.</summary>
    public static bool Fits(long rows, long inFeatures, long outFeatures, long rank) =>
        rows > 0 && rows * Math.Max(inFeatures, outFeatures) <= int.MaxValue / 2 && (rank + LowRankKernel.Group) * Math.Max(inFeatures, outFeatures) <= int.MaxValue / sizeof(float);

    /// <summary>h = s · drop(x) Aᵀ and y += h Bᵀ.</summary>
    /// <param name="x">[N, in].</param>
    /// <param name="y">[N, out], changed.</param>
    /// <param name="h">Receives [N, padded].</param>
    public void Forward(Tensor x, Tensor y, Tensor h)
    {
        float* px = Floats(x), py = Floats(y), ph = Floats(h);
        HostThreads.For(_pieces, piece =>
        {
            using Scratch scratch = new(_mask is null ? 0 : _tile * _in);
            foreach ((int row, int rows) in Tiles(piece))
            {
                float* low = ph + ((long)row * _padded);
                LowRankKernel.Project(Dropped(px, row, rows, scratch.Memory), _a, low, rows, _in, _padded, _scale);
                LowRankKernel.Expand(py + ((long)row * _out), _b, low, null, rows, _out, _padded);
            }
        });
    }

    /// <summary>dA, dB, and what the adapter adds to dx.</summary>
    /// <param name="x">[N, in].</param>
    /// <param name="h">[N, padded], from <see cref="Forward"/>.</param>
    /// <param name="dy">[N, out].</param>
    /// <param name="dx">[N, in], added to; null where x needs no gradient.</param>
    /// <param name="da">Receives [r, in].</param>
    /// <param name="db">Receives [out, r].</param>
    public void Backward(Tensor x, Tensor h, Tensor dy, Tensor? dx, Tensor da, Tensor db)
    {
        float* px = Floats(x), ph = Floats(h), pdy = Floats(dy), pdx = dx is null ? null : Floats(dx);
        int sizeA = _padded * _in, sizeB = _padded * _out;
        long size = (long)sizeA + sizeB;
        float* sums = (float*)NativeMemory.Alloc((nuint)(size * _pieces), sizeof(float));
        try
        {
            HostThreads.For(_pieces, piece =>
            {
                float* sumA = sums + (piece * size), sumB = sumA + sizeA;
                new Span<float>(sumA, sizeA).Clear();
                new Span<float>(sumB, sizeB).Clear();
                using Scratch scratch = new(_mask is null ? 0 : _tile * _in), low = new(_tile * _padded);
                foreach ((int row, int rows) in Tiles(piece))
                {
                    float* dRow = pdy + ((long)row * _out), g = low.Memory;
                    LowRankKernel.Project(dRow, _b, g, rows, _out, _padded, _scale);                      // g = s · dy B
                    LowRankKernel.Accumulate(dRow, ph + ((long)row * _padded), sumB, rows, _out, _padded);
                    float* source = px + ((long)row * _in), mask = null;
                    if (_mask is { } drop)
                    {
                        mask = scratch.Memory;
                        drop.Fill(new Span<float>(mask, rows * _in), (long)row * _in);
                    }

                    if (pdx is not null)
                        LowRankKernel.Expand(pdx + ((long)row * _in), _a, g, mask, rows, _in, _padded);
                    if (mask is not null)
                    {
                        LowRankKernel.Multiply(mask, source, rows * _in);
                        source = mask;
                    }

                    LowRankKernel.Accumulate(source, g, sumA, rows, _in, _padded);
                }
            });
            for (int piece = 1; piece < _pieces; piece++)
                for (long from = 0; from < size; from += SmallestPiece << 10)
                    LowRankKernel.Add(sums + from, sums + (piece * size) + from, (int)Math.Min(SmallestPiece << 10, size - from));
            new Span<float>(sums, _rank * _in).CopyTo(new Span<float>(Floats(da), _rank * _in));
            float* columns = Floats(db), sumOfB = sums + sizeA;
            for (int o = 0; o < _out; o++)
                for (int k = 0; k < _rank; k++)
                    columns[((long)o * _rank) + k] = sumOfB[((long)k * _out) + o];
        }
        finally
        {
            NativeMemory.Free(sums);
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_a);
        NativeMemory.Free(_b);
        _a = null;
        _b = null;
    }

    // Rows of x, or what dropout leaves of them, made in the scratch memory.
    private float* Dropped(float* x, int row, int rows, float* scratch)
    {
        float* source = x + ((long)row * _in);
        if (_mask is not { } mask)
            return source;
        mask.Fill(new Span<float>(scratch, rows * _in), (long)row * _in);
        LowRankKernel.Multiply(scratch, source, rows * _in);
        return scratch;
    }

    private IEnumerable<(int Row, int Rows)> Tiles(int piece)
    {
        int end = Math.Min(_rows, (piece + 1) * _pieceRows);
        for (int row = piece * _pieceRows; row < end; row += _tile)
            yield return (row, Math.Min(_tile, end - row));
    }

    private static float* Zeros(long count) => (float*)NativeMemory.AllocZeroed((nuint)count, sizeof(float));

    private static float* Floats(Tensor tensor) => new WeightMemory(tensor).Floats;

    // Pinned memory of a piece.
    private readonly struct Scratch : IDisposable
    {
        private readonly float[]? _array;
        private readonly GCHandle _pin;

        public Scratch(int count)
        {
            if (count == 0)
                return;
            _array = ArrayPool<float>.Shared.Rent(count);
            _pin = GCHandle.Alloc(_array, GCHandleType.Pinned);
        }

        public float* Memory => _array is null ? null : (float*)_pin.AddrOfPinnedObject();

        public void Dispose()
        {
            if (_array is null)
                return;
            _pin.Free();
            ArrayPool<float>.Shared.Return(_array);
        }
    }
}
