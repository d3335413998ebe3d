// Autograd against central differences in float64 (float32 for the fused attention), for the operators the product is made of.
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace TorchSharpTests;

public class GradientTests
{
    [Theory]
    [MemberData(nameof(Cases))]
    public void Autograd_equals_differences(string name, Func<Tensor[], Tensor> function, long[][] shapes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        Tensor[] inputs = shapes.Select(s => randn(s, float64, generator: generator)).ToArray();
        Check(name, function, inputs, step: 1e-6, tolerance: 1e-6);
    }

    public static TheoryData<string, Func<Tensor[], Tensor>, long[][]> Cases()
    {
        var ids = tensor(new long[] { 2, 0, 2, 1 });
        var keep = tensor(new[] { true, false, true, true });
        return new()
        {
            { "matmul", x => x[0].matmul(x[1]), [[2, 3, 4], [4, 5]] },
            { "bmm", x => x[0].bmm(x[1]), [[2, 3, 4], [2, 4, 2]] },
            { "linear", x => F.linear(x[0], x[1], x[2]), [[2, 3, 4], [5, 4], [5]] },
            { "add, broadcast", x => x[0] + x[1], [[3, 4], [4]] },
            { "division", x => x[0] / (x[1].abs() + 1), [[3, 4], [4]] },
            { "scalars", x => 2.0 - 3 * x[0] + 1 / (x[0].square() + 1.5), [[3, 4]] },
            { "softmax", x => x[0].softmax(-1), [[3, 4]] },
            { "log_softmax", x => F.log_softmax(x[0], -1), [[3, 4]] },
            { "logsumexp", x => x[0].logsumexp(-1), [[3, 4]] },
            { "silu", x => F.silu(x[0]), [[3, 4]] },
            { "gelu", x => F.gelu(x[0]), [[3, 4]] },
            { "sigmoid", x => x[0].sigmoid(), [[3, 4]] },
            { "index_select", x => x[0].index_select(0, ids), [[3, 4]] },
            { "gather", x => x[0].gather(0, ids.unsqueeze(1)), [[3, 4]] },
            { "mask", x => x[0].masked_fill(keep, 0), [[3, 4]] },
            { "index by ranges", x => x[0][TensorIndex.Ellipsis, 1..3], [[3, 4]] },
            { "cross_entropy", x => F.cross_entropy(x[0], ids), [[4, 3]] },
            { "cross_entropy, ignored", x => F.cross_entropy(x[0], ids, ignore_index: 0), [[4, 3]] },
            { "kl_div", x => F.kl_div(F.log_softmax(x[0], -1), F.log_softmax(x[1], -1)), [[4, 3], [4, 3]] },
            { "mse", x => F.mse_loss(x[0], x[1]), [[4, 3], [4, 3]] },
            { "rms norm", x => x[0] * (x[0].square().mean([-1], keepdim: true) + 1e-6).rsqrt() * x[1], [[2, 3, 4], [4]] },
            { "rotation", x => cat([-x[0].narrow(-1, 2, 2), x[0].narrow(-1, 0, 2)], -1) * x[1].cos() + x[0] * x[1].sin(), [[3, 4], [3, 4]] },
            { "heads", x => x[0].view(2, 3, 2, 2).transpose(1, 2).reshape(2, 2, 6), [[2, 3, 4]] },
            { "repeat_interleave", x => x[0].repeat_interleave(2, 1), [[2, 3]] },
            { "norm", x => x[0].norm(1), [[3, 4]] },
            { "attention, composed", x => F.scaled_dot_product_attention(x[0], x[1], x[2], is_casual: true), [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]] },
        };
    }

    public enum Mask { None, Causal, Additive, Boolean }

    // Long enough for several blocks of queries and of keys.
    [Theory]
    [InlineData(Mask.None, 300, 700)]
    [InlineData(Mask.Causal, 300, 300)]
    [InlineData(Mask.Causal, 300, 140)]
    [InlineData(Mask.Causal, 140, 700)]
    [InlineData(Mask.Additive, 150, 600)]
    [InlineData(Mask.Boolean, 150, 600)]
    [InlineData(Mask.None, 1, 900)]
    public void Fused_attention_equals_the_composed_one(Mask kind, long queries, long keys)
    {
        using var scope = NewDisposeScope();
        using var g = new Generator(3);
        Tensor q = randn([2, queries, 3, 32], generator: g).transpose(1, 2), k = randn([2, 3, keys, 32], generator: g), v = randn([2, 3, keys, 16], generator: g);
        Tensor? mask = kind switch
        {
            Mask.Additive => randn([2, 1, queries, keys], generator: g),
            Mask.Boolean => rand([queries, keys], generator: g).gt(0.5f),
            _ => null,
        };
        Tensor weight = randn([2, 3, queries, 16], generator: g);
        Tensor[] fused = new[] { q, k, v }.Select(t => t.detach().clone().requires_grad_()).ToArray();
        Tensor[] composed = new[] { q, k, v }.Select(t => t.detach().to(float64).requires_grad_()).ToArray();

        Tensor a = F.scaled_dot_product_attention(fused[0], fused[1], fused[2], mask, is_casual: kind == Mask.Causal);
        Tensor b = F.scaled_dot_product_attention(composed[0], composed[1], composed[2], mask, is_casual: kind == Mask.Causal);
        (a * weight).sum().backward();
        (b * weight).sum().backward();

        Near(b, a, 2e-6);
        for (int i = 0; i < 3; i++) Near(composed[i].grad!, fused[i].grad!, 1e-5);
    }

    [Fact]
    public void A_query_that_sees_no_key_gives_zeros()
    {
        using var scope = NewDisposeScope();
        Tensor q = randn(1, 2, 3, 8).requires_grad_(), k = randn(1, 2, 5, 8), v = randn(1, 2, 5, 8);
        Tensor mask = ones([3, 5], torch.@bool);
        mask[1] = tensor(false);
        Tensor o = F.scaled_dot_product_attention(q, k, v, mask);
        o.sum().backward();
        Assert.Equal(0, o[0, 0, 1].abs().max().ToSingle());
        Assert.True(q.grad!.isfinite().all().ToBoolean());
        Assert.True(o.isfinite().all().ToBoolean());
    }

    [Fact]
    public void Attention_takes_half_precision()
    {
        using var scope = NewDisposeScope();
        Tensor q = randn(1, 2, 40, 8), k = randn(1, 2, 40, 8), v = randn(1, 2, 40, 8);
        Tensor half = F.scaled_dot_product_attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), is_casual: true);
        Assert.Equal(bfloat16, half.dtype);
        Near(F.scaled_dot_product_attention(q, k, v, is_casual: true), half.@float(), 0.05);
    }

    private static void Near(Tensor expected, Tensor actual, double tolerance)
    {
        double worst = (expected.to(float64) - actual.to(float64)).abs().max().ToDouble();
        Assert.True(worst <= tolerance, $"differs by {worst:E2}");
    }

    // d(sum of f(x) * w)/dx for a fixed random w, so that every element of the Jacobian takes part.
    private static void Check(string name, Func<Tensor[], Tensor> function, Tensor[] inputs, double step, double tolerance)
    {
        foreach (Tensor input in inputs) input.requires_grad = true;
        Tensor output = function(inputs);
        using var generator = new Generator(11);
        Tensor weight = randn(output.shape, float64, generator: generator);
        (output * weight).sum().backward();

        using IDisposable guard = no_grad();
        for (int i = 0; i < inputs.Length; i++)
        {
            var values = inputs[i].data<double>();
            double[] gradient = inputs[i].grad!.contiguous().data<double>().ToArray();
            var flat = inputs[i].view(-1).data<double>();
            for (int j = 0; j < gradient.Length; j++)
            {
                using var scope = NewDisposeScope();
                double x = flat[j];
                flat[j] = x + step;
                double up = (function(inputs) * weight).sum().ToDouble();
                flat[j] = x - step;
                double down = (function(inputs) * weight).sum().ToDouble();
                flat[j] = x;
                double expected = (up - down) / (2 * step);
                Assert.True(Math.Abs(expected - gradient[j]) <= tolerance * (1 + Math.Abs(expected)), $"{name}: input {i}, element {j}: {gradient[j]} but differences give {expected}");
            }
        }
    }
}
