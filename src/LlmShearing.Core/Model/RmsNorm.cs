// Root-mean-square norm. Under a hidden gate the sum of squares is divided by the number of kept channels,
// which is what makes gated(big) equal pruned(small).
using LlmShearing.Devices;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>y = x / sqrt(mean(x²) + eps) * weight, computed in float32 (float64 in a float64 model), cast back before the weight is applied.</summary>
public sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    /// <summary>Weight [H].</summary>
    public readonly Parameter weight;

    private readonly double _eps;

    internal RmsNorm(long size, double eps, ScalarType dtype, Device device)
        : base(nameof(RmsNorm))
    {
        weight = Weights.Empty(dtype, device, size);
        _eps = eps;
        RegisterComponents();
    }

    /// <summary>A norm with the weight of another.</summary>
    internal RmsNorm(RmsNorm shared)
        : base(nameof(RmsNorm))
    {
        weight = Weights.Share(shared.weight);
        _eps = shared._eps;
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input) => Gated(input, null);

    /// <summary>The norm under a hidden gate.</summary>
    /// <param name="input">[..., H]; channels whose gate is zero are ignored whatever they hold.</param>
    /// <param name="gate">[H] or null.</param>
    /// <returns>[..., H], already multiplied by the gate.</returns>
    internal Tensor Gated(Tensor input, HiddenGate? gate)
    {
        Weights.EnsureAlive(weight, nameof(RmsNorm));
        Tensor x = input.to(LlamaPass.Precise(input.dtype));                                  // [..., H]
        Tensor meanSquare = gate is null
            ? MeanSquare(x, x.shape[^1])
            : gate.InputIsMasked ? MeanSquare(x, gate.KeptCount) : MeanSquare(x * gate.Keep, gate.KeptCount);
        Tensor scale = meanSquare.add(_eps).rsqrt();                                          // [..., 1]
        Tensor y = (x * scale).to(input.dtype);                                               // [..., H]
        Tensor w = gate is null ? weight : (weight * gate.Value).to(weight.dtype);            // [H]
        if (is_grad_enabled() || y.dtype != w.dtype)
            return y * w;
        y.mul_(w);
        return y;
    }

    // [..., H] -> [..., 1]; the divisor is the number of channels that exist.
    private static Tensor MeanSquare(Tensor x, double count)
    {
        if (is_grad_enabled())
            return x.square().sum(-1, keepdim: true) / count;
        Tensor length = x.norm(-1, keepdim: true);   // one read, no temporary of the size of x
        length.mul_(length).mul_(1.0 / count);
        return length;
    }
}
