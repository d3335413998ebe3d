// A projection with its adapter as one step of the graph: y = x Wᵀ + b + s · drop(x) Aᵀ Bᵀ with a frozen W. Kept for the backward pass are drop(x)
// and h [N, r]; for the gradient of x the mask is drawn again. On 16-bit activations the adapter's part is added in float32 and rounded once, with and without
// a graph; the backward pass makes its products in the type of the activations, as mixed precision does.
// The factors and their gradients stay float32. Composed step by step (see LoraTap), autograd would keep and add tensors of the activations' size.
using LlmShearing.Kernels;
using LlmShearing.Model;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class LoraFunction : autograd.SingleTensorFunction<LoraFunction>
{
    // MKL's float32 products are several times slower when one side has fewer columns than this.
    private const long FewestColumns = 16;
    private const string Key = "call";

    public override string Name => "LoraProjection";

    /// <summary>Whether this projection can be run here; what cannot is left to <see cref="LoraTap.Compose"/>.</summary>
    public static bool Supports(Projection projection, Tensor x) =>
        x.dtype == projection.weight.dtype && x.dtype is (ScalarType.Float32 or ScalarType.BFloat16)
        && !projection.weight.requires_grad && projection.bias is not { requires_grad: true } && x.NumberOfElements > 0;

    /// <summary>The projection's output with the adapter's part.</summary>
    /// <param name="projection">The frozen projection.</param>
    /// <param name="x">[..., in].</param>
    /// <param name="a">A [r, in], float32.</param>
    /// <param name="b">B [out, r], float32.</param>
    /// <param name="scale">s.</param>
    /// <param name="mask">Dropout of x, or null.</param>
    /// <returns>[..., out].</returns>
    public static Tensor Run(Projection projection, Tensor x, Parameter a, Parameter b, double scale, DropoutMask? mask)
    {
        if (is_grad_enabled())
            return apply(x, projection.weight, projection.bias!, a, b, new Call(scale, mask, x.requires_grad));
        using var scope = NewDisposeScope();
        (Tensor y, _, _) = Compute(x, projection.weight, projection.bias, a, b, scale, mask);
        return y.MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, weight, bias, a, b, call) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor?)vars[2], (Tensor)vars[3], (Tensor)vars[4], (Call)vars[5]);
        using var scope = NewDisposeScope();
        (Tensor y, Tensor kept, Tensor h) = Compute(x, weight, bias, a, b, call.Scale, call.Mask);
        ctx.save_for_backward([kept.MoveToOuterDisposeScope(), weight, a, b, h.MoveToOuterDisposeScope()]);
        ctx.save_data(Key, call);
        return y.MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var call = (Call)ctx.get_data(Key)!;
        List<Tensor> saved = ctx.get_saved_variables();
        var (kept, weight, a, b, h) = (saved[0], saved[1], saved[2], saved[3], saved[4]);         // kept [N, in]
        long rank = a.shape[0];
        Tensor dy = grad_output.contiguous().view(-1, weight.shape[0]);                           // [N, out]
        Tensor wideA = Widened(a, 0, kept.dtype), wideB = Widened(b, 1, kept.dtype);                  // [R, in], [out, R]
        Tensor dh = dy.mm(wideB);                                                                 // [N, R]
        dh.mul_(FactorOf(call.Scale, call.Mask));
        Tensor db = dy.t().mm(h).narrow(1, 0, rank).to(ScalarType.Float32).contiguous();          // [out, r]
        Tensor da = dh.t().mm(kept).narrow(0, 0, rank).to(ScalarType.Float32);                    // [r, in]
        Tensor? dx = null;                                                                        // [N, in]
        if (call.NeedsInput)
        {
            dx = LinearProduct.InputGradient(dy, weight);
            if (call.Mask is { } mask)
                dx.add_(mask.Drop(dh.mm(wideA), inPlace: true));
            else
                dx.addmm_(dh, wideA);
        }

        return [dx?.view([.. grad_output.shape[..^1], weight.shape[1]]).MoveToOuterDisposeScope()!, null!, null!, Own(da, a), Own(db, b), null!];
    }

    // y [..., out], what dropout leaves of x [N, in], h [N, R].
    private static (Tensor Y, Tensor Kept, Tensor H) Compute(Tensor x, Tensor weight, Tensor? bias, Tensor a, Tensor b, double scale, DropoutMask? mask)
    {
        Tensor rows = x.contiguous().view(-1, weight.shape[1]);                                   // [N, in]
        Tensor kept = mask is { } m ? m.Drop(rows) : rows;
        double factor = FactorOf(scale, mask);
        Tensor y, h;                                                                              // [N, out], [N, R]
        if (x.dtype == ScalarType.Float32)
        {
            y = LinearProduct.Forward(rows, weight, bias);
            h = nn.functional.linear(kept, Widened(a, 0, x.dtype));
            h.mul_(factor);
            y.addmm_(h, Widened(b, 1, x.dtype).t());
        }
        else
        {
            // In the shape that comes, as without an adapter: libtorch adds a bias in 16 bits at another place when the rows are flattened.
            Tensor own = LinearProduct.Forward(x, weight, bias).reshape(-1, weight.shape[0]);
            (y, h) = AddRoundedOnce(own, kept, a, b, factor);
        }

        return (y.view([.. x.shape[..^1], weight.shape[0]]), kept, h);
    }

    // The adapter's part and the sum in float32, as PEFT computes them on a 16-bit base; only the sum is rounded. What is kept for the backward pass is in 16 bits.
    private static (Tensor Y, Tensor H) AddRoundedOnce(Tensor y, Tensor kept, Tensor a, Tensor b, double factor)
    {
        using var scope = NewDisposeScope();
        Tensor low;                                                                               // [N, R]
        using (Tensor wide = kept.to(ScalarType.Float32))
            low = nn.functional.linear(wide, Widened(a, 0, ScalarType.Float32));
        low.mul_(factor);
        using Tensor sum = y.to(ScalarType.Float32);                                              // [N, out]
        sum.addmm_(low, Widened(b, 1, ScalarType.Float32).t());
        Tensor h = low.narrow(1, 0, a.shape[0]).to(y.dtype).contiguous();                         // [N, r]
        return (sum.to(y.dtype).MoveToOuterDisposeScope(), h.MoveToOuterDisposeScope());
    }

    // Dropout's factor of what is kept goes with the scale, so that the mask is 0 or 1, exact in every type.
    private static double FactorOf(double scale, DropoutMask? mask) => scale * (mask?.Kept ?? 1);

    // A factor in the type of the activations; a low rank is padded with zeros where that is faster.
    private static Tensor Widened(Tensor factor, int dim, ScalarType dtype)
    {
        Tensor f = factor.detach().to(dtype);
        long missing = dtype == ScalarType.Float32 ? Math.Max(0, FewestColumns - f.shape[dim]) : 0;
        return missing == 0 ? f : nn.functional.pad(f, dim == 0 ? [0, 0, 0, missing] : [0, missing]);
    }

    private static Tensor Own(Tensor gradient, Tensor of) => gradient.view(of.shape).MoveToOuterDisposeScope();

    private sealed record Call(double Scale, DropoutMask? Mask, bool NeedsInput);
}
