// Under a hidden gate the norm computes what it would compute on the kept channels alone.
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Model;

public class GatedNormTests
{
    private const int H = 12, Tokens = 5;
    private static readonly int[] Kept = [0, 2, 3, 7, 8, 11];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gated_SomeChannelsZero_EqualsTheNormOfTheKeptOnes(bool inputIsMasked)
    {
        using var scope = NewDisposeScope();
        (RmsNorm norm, Tensor z) = Make();
        Tensor x = Input(inputIsMasked).requires_grad_(), gate = z.clone().requires_grad_(), weights = Uniform(Tokens * H, 9).view(Tokens, H);
        Tensor y = norm.Gated(x, new HiddenGate(gate, inputIsMasked));                        // [T, H]
        (y * weights).sum().backward();

        // The same channels alone: a smaller norm that carries the gate in its weight.
        Tensor index = tensor(Kept.Select(k => (long)k).ToArray());
        using var small = new RmsNorm(Kept.Length, 1e-5, ScalarType.Float32, CPU);
        using (no_grad())
            small.weight.copy_((norm.weight * z).index_select(0, index));
        Tensor xs = x.detach().index_select(1, index).requires_grad_();                        // [T, K]
        Tensor ys = small.forward(xs);                                                         // [T, K]
        (ys * weights.index_select(1, index)).sum().backward();

        Near.Equal(Scattered(ys), Numbers(y), 1e-6, what: "output");
        float[] zero = Numbers(y);
        for (int t = 0; t < Tokens; t++)
            for (int d = 0; d < H; d++)
                Assert.True(Kept.Contains(d) || zero[(t * H) + d] == 0);
        Near.Equal(Scattered(xs.grad!), Numbers(x.grad!), 2e-6, what: "gradient of the input");

        // y = (x / rms) w z, where the rms knows only whether z is zero: the gradient of z is that of a product.
        Tensor rms = xs.detach().square().mean([1], keepdim: true).add(1e-5).sqrt();           // [T, 1]
        Near.Equal(Numbers((weights * x.detach() / rms * norm.weight).sum(dim: 0)), Numbers(gate.grad!), 1e-5, what: "gradient of the gate");
    }

    [Fact]
    public void Gated_AllOnes_EqualsThePlainNorm()
    {
        using var scope = NewDisposeScope();
        (RmsNorm norm, _) = Make();
        Tensor x = Input(false);
        Near.Equal(Numbers(norm.forward(x)), Numbers(norm.Gated(x, new HiddenGate(ones(H), true))), 1e-6);
        Near.Equal(Numbers(norm.forward(x)), Numbers(norm.Gated(x, new HiddenGate(ones(H), false))), 1e-6);
    }

    [Fact]
    public void Gated_NoChannelLeft_IsRefused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("at least one", Assert.Throws<ArgumentException>(() => new HiddenGate(zeros(H), true)).Message, StringComparison.OrdinalIgnoreCase);
    }

    private static (RmsNorm Norm, Tensor Gate) Make()
    {
        var norm = new RmsNorm(H, 1e-5, ScalarType.Float32, CPU);
        using (no_grad())
            norm.weight.copy_(Uniform(H, 1));
        float[] z = Numbers(Uniform(H, 2));
        return (norm, tensor(z.Select((v, i) => Kept.Contains(i) ? v : 0).ToArray()));
    }

    // When the embedding was gated too, removed channels are zero; otherwise they hold anything.
    private static Tensor Input(bool masked)
    {
        float[] x = Numbers(Uniform(Tokens * H, 3) - 0.6);
        return tensor(x.Select((v, i) => masked && !Kept.Contains(i % H) ? 0 : v).ToArray(), Tokens, H);
    }

    private static Tensor Uniform(int n, int seed)
    {
        var random = new Random(seed);
        return tensor(Enumerable.Range(0, n).Select(_ => 0.1f + random.NextSingle()).ToArray());
    }

    private static float[] Scattered(Tensor small)
    {
        float[] values = Numbers(small), all = new float[Tokens * H];
        for (int i = 0; i < values.Length; i++)
            all[(i / Kept.Length * H) + Kept[i % Kept.Length]] = values[i];
        return all;
    }

    private static float[] Numbers(Tensor t) => t.contiguous().data<float>().ToArray();
}
