// Products with weight matrices, through the faster of libtorch's two libraries for them. MKL, which libtorch takes for float32, uses a path without 512-bit
// registers on processors of other makers than its own; oneDNN, which it takes for 16 bits, uses what the processor has.
using System.Runtime.Intrinsics.X86;
using LlmShearing.Devices;
using LlmShearing.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Kernels;

/// <summary>y = x Wᵀ + b and its two gradients. What oneDNN is not taken for goes to libtorch's own linear.</summary>
public static class LinearProduct
{
    // Below this the copies into and out of oneDNN's tensors cost more than the product gains.
    private const long FewestRows = 32;
    private const long FewestChannels = 64;

    private const string Script = """
        def plain(x, w):
            return torch.mkldnn_linear(x.to_mkldnn(), w, None).to_dense()

        def biased(x, w, b):
            return torch.mkldnn_linear(x.to_mkldnn(), w, b).to_dense()

        def input_gradient(dy, w):
            return torch.mkldnn_linear_backward_input([dy.size(0), w.size(1)], dy.to_mkldnn(), w).to_dense()

        def weight_gradient(dy, x, w):
            return torch.mkldnn_linear_backward_weights(dy.to_mkldnn(), x.to_mkldnn(), w, False)[0]

        """;

    private static readonly Lazy<jit.CompilationUnit> Compiled = new(() => jit.compile(Script));

    [ThreadStatic]
    private static bool? _chosen;

    private static bool Wins { get; } = AskProcessor();

    /// <summary>For tests and benchmarks, on this thread: oneDNN wherever it can be used, or nowhere, until the result is disposed.</summary>
    public static IDisposable Choose(bool oneDnn)
    {
        bool? before = _chosen;
        _chosen = oneDnn;
        return new Undo(() => _chosen = before);
    }

    /// <summary>x Wᵀ + b.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out] or null.</param>
    /// <returns>[..., out] in the caller's dispose scope.</returns>
    public static Tensor Forward(Tensor x, Tensor weight, Tensor? bias)
    {
        if (!UsesOneDnn(x, weight))
            return nn.functional.linear(x, weight, bias!);
        return is_grad_enabled() && (x.requires_grad || weight.requires_grad || bias is { requires_grad: true })
            ? LinearFunction.Run(x, weight, bias)
            : Compute(x, weight, bias);
    }

    /// <summary>Gradient of the input: dy W.</summary>
    /// <param name="dy">[n, out].</param>
    /// <param name="weight">[out, in], of the same type.</param>
    /// <returns>[n, in] in the caller's dispose scope.</returns>
    public static Tensor InputGradient(Tensor dy, Tensor weight) =>
        UsesOneDnn(dy, weight)
            ? (Tensor)Compiled.Value.invoke("input_gradient", dy, weight)
            : dy.mm(weight);

    /// <summary>Gradient of the weight: dyᵀ x.</summary>
    /// <param name="dy">[n, out].</param>
    /// <param name="x">[n, in], of the same type.</param>
    /// <param name="weight">[out, in]; only its size counts.</param>
    /// <returns>[out, in] in the caller's dispose scope.</returns>
    public static Tensor WeightGradient(Tensor dy, Tensor x, Tensor weight) =>
        UsesOneDnn(x, weight)
            ? (Tensor)Compiled.Value.invoke("weight_gradient", dy, x, weight)
            : dy.t().mm(x);

    /// <summary>Whether the product of these goes to oneDNN explicitly.</summary>
    public static bool UsesOneDnn(Tensor x, Tensor weight) =>
        (_chosen ?? Wins) && x.dtype == ScalarType.Float32 && weight.dtype == ScalarType.Float32 && HostMemory.Serves(x) && weight.device.type == DeviceType.CPU
        && weight.is_contiguous() && weight.shape[0] >= FewestChannels && weight.shape[1] >= FewestChannels && x.NumberOfElements >= FewestRows * x.shape[^1];

    internal static Tensor Compute(Tensor x, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        long[] shape = x.shape;
        Tensor rows = x.reshape(-1, shape[^1]);                                                      // [n, in]
        Tensor y = (Tensor)(bias is null ? Compiled.Value.invoke("plain", rows, weight) : Compiled.Value.invoke("biased", rows, weight, bias));
        shape[^1] = weight.shape[0];
        return y.view(shape).MoveToOuterDisposeScope();                                              // [..., out]
    }

    // The gap is of MKL on other makers' processors with 512-bit registers; on Intel's own, MKL uses them.
    private static bool AskProcessor()
    {
        if (!X86Base.IsSupported || !Avx512F.IsSupported)
            return false;
        (_, int ebx, int ecx, int edx) = X86Base.CpuId(0, 0);
        return (ebx, edx, ecx) != (0x756E6547, 0x49656E69, 0x6C65746E);                              // "Genu" "ineI" "ntel"
    }
}
