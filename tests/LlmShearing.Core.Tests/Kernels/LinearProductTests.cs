// Products through oneDNN against libtorch's own, forward and backward, whatever the processor would choose.
using LlmShearing.Devices;
using LlmShearing.Kernels;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Kernels;

[Collection("tensor count")]
public class LinearProductTests
{
    // Rows, in, out; the last two are below what oneDNN is taken for.
    public static TheoryData<int, int, int, bool> Sizes => new()
    {
        { 32, 64, 64, false }, { 33, 65, 127, true }, { 200, 96, 64, true }, { 512, 64, 300, false }, { 31, 64, 64, true }, { 100, 63, 64, false },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Forward_OneDnn_SameValuesAndGradientsAsOwnLinear(int rows, int inputs, int outputs, bool bias)
    {
        using var scope = NewDisposeScope();
        Tensor x = Numbers(1, rows, inputs), w = Numbers(2, outputs, inputs), g = Numbers(4, rows, outputs);
        Tensor? b = bias ? Numbers(3, outputs) : null;
        float[][] expected = Run(false), actual = Run(true);
        for (int i = 0; i < expected.Length; i++)
            Near.Equal(expected[i], actual[i], 1e-6 * Math.Max(inputs, rows), 1e-5);

        float[][] Run(bool oneDnn)
        {
            using IDisposable choice = LinearProduct.Choose(oneDnn);
            Assert.Equal(oneDnn && rows >= 32 && inputs >= 64, LinearProduct.UsesOneDnn(x, w));
            Tensor[] leaves = [.. new[] { x, w, b }.OfType<Tensor>().Select(t => t.detach().clone().requires_grad_())];
            Tensor y = LinearProduct.Forward(leaves[0].view(1, rows, inputs), leaves[1], bias ? leaves[2] : null);
            Assert.Equal([1, rows, outputs], y.shape);
            y.backward([g.view(1, rows, outputs)]);
            using IDisposable noGrad = no_grad();
            Tensor again = LinearProduct.Forward(x, w, b);
            return [Floats(y), Floats(again), .. leaves.Select(l => Floats(l.grad!))];
        }
    }

    [Fact]
    public void Forward_InputNotContiguousOrFrozen_SameAsOwnLinear()
    {
        using var scope = NewDisposeScope();
        using IDisposable choice = LinearProduct.Choose(true);
        Tensor x = Numbers(1, 64, 40).t(), w = Numbers(2, 70, 64).requires_grad_();     // [40, 64]
        Tensor y = LinearProduct.Forward(x, w, null);
        y.sum().backward();
        Near.Equal(Floats(nn.functional.linear(x, w)), Floats(y), 1e-4);
        Near.Equal(Floats(x.sum([0L]).expand(70, 64)), Floats(w.grad!), 1e-4);
    }

    [Fact]
    public void Gradients_OneDnn_SameAsOwnProducts()
    {
        using var scope = NewDisposeScope();
        Tensor x = Numbers(1, 50, 64), w = Numbers(2, 80, 64), dy = Numbers(3, 50, 80);
        using IDisposable choice = LinearProduct.Choose(true);
        Near.Equal(Floats(dy.mm(w)), Floats(LinearProduct.InputGradient(dy, w)), 1e-4);
        Near.Equal(Floats(dy.t().mm(x)), Floats(LinearProduct.WeightGradient(dy, x, w)), 1e-4);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float64)]
    public void UsesOneDnn_OtherTypes_No(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using IDisposable choice = LinearProduct.Choose(true);
        Assert.False(LinearProduct.UsesOneDnn(Numbers(1, 64, 64).to(type), Numbers(2, 64, 64).to(type)));
    }

    [Fact]
    public void Forward_ChannelsDoNotFit_Throws()
    {
        using var scope = NewDisposeScope();
        using IDisposable choice = LinearProduct.Choose(true);
        Assert.ThrowsAny<Exception>(() => LinearProduct.Forward(Numbers(1, 64, 65), Numbers(2, 64, 64), null));
    }

    [Fact]
    public void Forward_ManyTimes_LeavesNoTensor()
    {
        using IDisposable choice = LinearProduct.Choose(true);
        LeakProbe.AssertNoGrowth(() =>
        {
            using var scope = NewDisposeScope();
            Tensor x = Numbers(1, 64, 64).requires_grad_(), w = Numbers(2, 64, 64).requires_grad_();
            LinearProduct.Forward(x, w, null).sum().backward();
            x.grad!.Dispose();
            w.grad!.Dispose();
        });
    }

    private static Tensor Numbers(ulong seed, params long[] shape)
    {
        using var generator = new Generator(seed, CPU);
        return empty(shape, dtype: ScalarType.Float32, device: CPU).normal_(0, 1, generator);
    }

    private static float[] Floats(Tensor values) => HostValues.Floats(values);
}
