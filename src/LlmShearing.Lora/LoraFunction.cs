// A projection with its adapter as one step of the graph: y = x Wᵀ + b + s · drop(x) Aᵀ Bᵀ with a frozen W. Kept for the backward pass are x, which
// is alive anyway, and h [N, r]; the backward pass adds the adapter's part onto the gradient of x that the frozen weight gives. For float32 on the
// CPU; elsewhere the same is composed of operators (see LoraTap).
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class LoraFunction : autograd.SingleTensorFunction<LoraFunction>
{
    private const string Key = "call";

    public override string Name => "LoraProjection";

    /// <summary>Whether this projection can be run here.</summary>
    public static bool Supports(Projection projection, Tensor x, int rank) =>
        x.dtype == ScalarType.Float32 && projection.weight.dtype == ScalarType.Float32 && HostMemory.Serves(x) && HostMemory.Serves(projection.weight)
        && !projection.weight.requires_grad && projection.bias is not { requires_grad: true }
        && LowRankUpdate.Fits(x.NumberOfElements / projection.InFeatures, projection.InFeatures, projection.OutFeatures, rank);

    /// <summary>The projection's output with the adapter's part.</summary>
    /// <param name="projection">The frozen projection.</param>
    /// <param name="x">[..., in].</param>
    /// <param name="a">A [r, in].</param>
    /// <param name="b">B [out, r].</param>
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
        (Tensor y, Tensor rows, Tensor h) = Compute(x, weight, bias, a, b, call.Scale, call.Mask);
        ctx.save_for_backward([x.is_contiguous() ? x : rows.MoveToOuterDisposeScope(), weight, a, b, h.MoveToOuterDisposeScope()]);
        ctx.save_data(Key, call);
        return y.MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var call = (Call)ctx.get_data(Key)!;
        List<Tensor> saved = ctx.get_saved_variables();
        var (x, weight, a, b, h) = (saved[0], saved[1], saved[2], saved[3], saved[4]);
        Tensor dy = grad_output.contiguous().view(-1, weight.shape[0]);                           // [N, out]
        Tensor? dx = call.NeedsInput ? LinearProduct.InputGradient(dy, weight) : null;                                      // [N, in]
        Tensor da = empty_like(a), db = empty_like(b);
        using (var update = new LowRankUpdate(a, b, dy.shape[0], call.Scale, call.Mask))
            update.Backward(x, h, dy, dx, da, db);
        return [dx?.view(x.shape).MoveToOuterDisposeScope()!, null!, null!, da.MoveToOuterDisposeScope(), db.MoveToOuterDisposeScope(), null!];
    }

    // y [..., out], the contiguous x, h [N, padded r].
    private static (Tensor Y, Tensor X, Tensor H) Compute(Tensor x, Tensor weight, Tensor? bias, Tensor a, Tensor b, double scale, DropoutMask? mask)
    {
        Tensor rows = x.contiguous();
        Tensor y = LinearProduct.Forward(rows, weight, bias).contiguous();
        long n = rows.NumberOfElements / weight.shape[1];
        using var update = new LowRankUpdate(a, b, n, scale, mask);
        Tensor h = empty([n, update.Padded], dtype: ScalarType.Float32, device: rows.device);
        update.Forward(rows, y, h);
        return (y, rows, h);
    }

    private sealed record Call(double Scale, DropoutMask? Mask, bool NeedsInput);
}
