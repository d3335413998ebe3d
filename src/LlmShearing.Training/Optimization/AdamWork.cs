// Sends the update to where the parameters are: plain memory on the CPU, tensor operators elsewhere.
using LlmShearing.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Optimization;

internal static unsafe class AdamWork
{
    /// <summary>Sum of the squares of the gradients.</summary>
    public static double SumOfSquares(IEnumerable<AdamSlot> slots)
    {
        double[] parts = Reduce(slots, AdamKernel.SumOfSquares, g => HostValues.WideSum(g.square()), all => all.sum(), out double elsewhere);
        return parts.Sum() + elsewhere;
    }

    /// <summary>Largest magnitude of an element of the gradients; NaN where one is.</summary>
    public static double LargestMagnitude(IEnumerable<AdamSlot> slots)
    {
        double[] parts = Reduce(slots, AdamKernel.LargestMagnitude, g => g.abs().max().to(ScalarType.Float64), all => all.max(), out double elsewhere);
        return parts.Aggregate(elsewhere, Math.Max);   // passes NaN on
    }

    private delegate double Reduction(float* values, int length);

    // One number for each piece in plain memory; one number in all for gradients that are elsewhere, so that it is read once.
    private static double[] Reduce(IEnumerable<AdamSlot> slots, Reduction here, Func<Tensor, Tensor> there, Func<Tensor, Tensor> together, out double elsewhere)
    {
        var pieces = new List<AdamPiece>();
        var others = new List<Tensor>();
        List<Tensor> alive = [];
        foreach (AdamSlot slot in slots)
        {
            if (slot.Gradient() is not { } gradient || gradient.NumberOfElements == 0)
                continue;
            if (!HostMemory.Serves(gradient))
            {
                others.Add(there(gradient));
                continue;
            }

            alive.Add(gradient);
            Cut(pieces, gradient.NumberOfElements, new AdamPiece { Gradient = Floats(gradient) });
        }

        double[] parts = new double[pieces.Count];
        HostThreads.For(pieces.Count, i => parts[i] = here(pieces[i].Gradient, pieces[i].Length));
        GC.KeepAlive(alive);
        elsewhere = others.Count == 0 ? 0 : HostValues.Number(together(stack(others)));
        return parts;
    }

    /// <summary>One update of every parameter with a gradient.</summary>
    public static void Step(AdamSlot[] slots, IReadOnlyList<double> rates, double gradientScale)
    {
        (AdamSlot Slot, Tensor Gradient)[] moved = [.. slots.Select(s => (s, s.Gradient()!)).Where(m => m.Item2 is not null)];
        var pieces = new List<AdamPiece>();
        foreach ((AdamSlot slot, Tensor gradient) in moved)
        {
            AdamUpdate update = slot.Next(rates[slot.GroupIndex], slot.Group.Unclipped ? 1 : gradientScale);
            if (HostMemory.Serves(gradient))
                Cut(pieces, gradient.NumberOfElements, new AdamPiece
                {
                    Parameter = Floats(slot.Target),
                    Gradient = Floats(gradient),
                    First = Floats(slot.First),
                    Second = Floats(slot.Second),
                    Update = update,
                });
            else
                Apply(slot, gradient, update);
        }

        HostThreads.For(pieces.Count, i => AdamKernel.Apply(pieces[i]));
        foreach ((AdamSlot slot, _) in moved)
            slot.Publish();
        GC.KeepAlive(moved);
    }

    // The same formulas with tensor operators.
    internal static void Apply(AdamSlot slot, Tensor gradient, AdamUpdate u)
    {
        using var scope = NewDisposeScope();
        Tensor p = slot.Target, m = slot.First, v = slot.Second;
        p.mul_(u.Keep);
        Tensor g = gradient * u.GradientScale;
        if (u.L2 != 0)
            g.add_(p, u.L2);
        m.mul_(u.Beta1).add_(g, 1 - u.Beta1);
        v.mul_(u.Beta2).addcmul_(g, g, 1 - u.Beta2);
        p.addcdiv_(m, v.sqrt().mul_(u.RootScale).add_(u.Epsilon), -u.StepSize);
    }

    private static float* Floats(Tensor tensor) => new WeightMemory(tensor).Floats;

    private static void Cut(List<AdamPiece> pieces, long elements, AdamPiece whole)
    {
        for (long start = 0; start < elements; start += AdamKernel.Piece)
        {
            AdamPiece piece = whole;
            piece.Length = (int)Math.Min(AdamKernel.Piece, elements - start);
            piece.Parameter += start;
            piece.Gradient += start;
            piece.First += start;
            piece.Second += start;
            pieces.Add(piece);
        }
    }
}
