// What is done to the .grad of parameters by hand: products and rows added without dense temporaries, and float32 sums for 16-bit weights.
using LlmShearing.Kernels;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Optimization;

internal static class Gradients
{
    /// <summary>weight.grad += outputᵀ input.</summary>
    /// <param name="weight">[out, in].</param>
    /// <param name="output">Gradient of the output [n, out], in the type of the weight.</param>
    /// <param name="input">[n, in], in the type of the weight.</param>
    public static void AddProduct(Parameter weight, Tensor output, Tensor input)
    {
        using var scope = NewDisposeScope();
        if (weight.grad is { } sum && sum.dtype == input.dtype && !LinearProduct.UsesOneDnn(input, weight))
            sum.addmm_(output.t(), input);
        else if (weight.grad is { } wide)
            wide.add_(LinearProduct.WeightGradient(output, input, weight));
        else
            weight.grad = LinearProduct.WeightGradient(output, input, weight).to(ScalarType.Float32);
    }

    /// <summary>weight.grad[index[i]] += rows[i].</summary>
    /// <param name="weight">[V, H].</param>
    /// <param name="index">[n], int64.</param>
    /// <param name="rows">[n, H].</param>
    public static void AddRows(Parameter weight, Tensor index, Tensor rows)
    {
        using var scope = NewDisposeScope();
        if (weight.grad is not { } sum)
            weight.grad = sum = zeros(weight.shape, dtype: ScalarType.Float32, device: weight.device);
        sum.index_add_(0, index, rows.to(sum.dtype), 1);
    }

    /// <summary>
    /// Turns 16-bit gradients into float32. Autograd then goes on adding to them in float32, so that the sum over micro-batches is not rounded each time.
    /// </summary>
    public static void Widen(IEnumerable<Tensor> parameters)
    {
        foreach (Tensor parameter in parameters)
        {
            if (parameter.dtype == ScalarType.Float32 || !parameter.requires_grad)
                continue;
            using Tensor? gradient = parameter.grad;
            if (gradient is null || gradient.dtype == ScalarType.Float32)
                continue;
            using Tensor wide = gradient.to(ScalarType.Float32);
            parameter.grad = wide;
        }
    }

    /// <summary>Drops gradients.</summary>
    public static void Clear(IEnumerable<Tensor> parameters)
    {
        foreach (Tensor parameter in parameters)
            parameter.grad = null;
    }
}
