// A product with a weight matrix as one step of the graph, with both gradients through LinearProduct.
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Kernels;

internal sealed class LinearFunction : autograd.SingleTensorFunction<LinearFunction>
{
    private const string Key = "call";

    public override string Name => "LinearProduct";

    /// <summary>x Wᵀ + b with a graph.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out] or null.</param>
    /// <returns>[..., out].</returns>
    public static Tensor Run(Tensor x, Tensor weight, Tensor? bias) =>
        apply(x, weight, bias!, new Call(x.requires_grad, weight.requires_grad, bias is { requires_grad: true }));

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, weight, bias, call) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor?)vars[2], (Call)vars[3]);
        Tensor y = LinearProduct.Compute(x, weight, bias);
        ctx.save_for_backward([x, weight]);
        ctx.save_data(Key, call);
        return y;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        var call = (Call)ctx.get_data(Key)!;
        List<Tensor> saved = ctx.get_saved_variables();
        var (x, weight) = (saved[0], saved[1]);
        Tensor dy = grad_output.contiguous().view(-1, weight.shape[0]);                              // [n, out]
        Tensor? dx = call.Input ? LinearProduct.InputGradient(dy, weight).view(x.shape).MoveToOuterDisposeScope() : null;
        Tensor? dw = call.Weight ? LinearProduct.WeightGradient(dy, x.reshape(-1, weight.shape[1]), weight).MoveToOuterDisposeScope() : null;
        Tensor? db = call.Bias ? dy.sum([0L]).MoveToOuterDisposeScope() : null;
        return [dx!, dw!, db!, null!];
    }

    private sealed record Call(bool Input, bool Weight, bool Bias);
}
