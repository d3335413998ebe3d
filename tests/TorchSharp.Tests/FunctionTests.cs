// Functions whose backward pass is managed: gradients, what they save, errors, and lifetimes.
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace TorchSharpTests;

// Beside the lifetime tests, not in parallel with any other: it counts tensors.
[Collection(nameof(LifetimeTests))]
public class FunctionTests
{
    [Fact]
    public void Apply_ProductAndSum_GradientsOfEveryTensor()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f, 2f, 3f }).requires_grad_(), y = tensor(new[] { 4f, 5f, 6f }).requires_grad_();
        Tensor z = Scaled.apply(x, 2.0, y, null) * 10;
        Assert.Equal([80f, 200f, 360f], z.data<float>().ToArray());
        z.sum().backward();
        Assert.Equal([80f, 100f, 120f], x.grad!.data<float>().ToArray());
        Assert.Equal([20f, 40f, 60f], y.grad!.data<float>().ToArray());
    }

    [Fact]
    public void Apply_InputWithoutGradient_GetsNone()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f, 2f, 3f }), y = tensor(new[] { 4f, 5f, 6f }).requires_grad_();
        Scaled.apply(x, 2.0, y, null).sum().backward();
        Assert.Null(x.grad);
        Assert.Equal([2f, 4f, 6f], y.grad!.data<float>().ToArray());
        Assert.False(Scaled.apply(x, 2.0, x, null).requires_grad);
        using (no_grad())
            Assert.False(Scaled.apply(x, 2.0, y, null).requires_grad);
    }

    [Fact]
    public void Apply_SeveralOutputs_UnusedOnesGiveZeros()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f, 2f }).requires_grad_();
        List<Tensor> both = Split.apply(x);
        (both[1] * both[1]).sum().backward();
        Assert.Equal([18f, 36f], x.grad!.data<float>().ToArray());
    }

    [Fact]
    public void Backward_FunctionThrows_TextArrivesAndNothingStays()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f }).requires_grad_();
        Tensor y = Scaled.apply(x, -1.0, x, null);
        Assert.Contains("negative factor", Assert.Throws<ExternalException>(() => y.backward()).Message, StringComparison.Ordinal);
        Assert.Null(x.grad);
    }

    [Fact]
    public void Backward_Twice_NeedsTheGraphKept()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 3f }).requires_grad_();
        Tensor y = Scaled.apply(x, 1.0, x, null);
        y.backward(retain_graph: true);
        y.backward();
        Assert.Equal(12f, x.grad!.item<float>());
        Assert.Throws<ExternalException>(() => y.backward());
    }

    [Fact]
    public void Backward_SavedTensorChanged_IsRefused()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 3f }).requires_grad_(), c = tensor(new[] { 2f });
        Tensor y = Scaled.apply(x, 1.0, c, null);
        c.mul_(2);
        Assert.Contains("modified by an inplace operation", Assert.Throws<ExternalException>(() => y.backward()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_ManyTimes_LeavesNothingBehind()
    {
        // What earlier tests dropped without disposing it would otherwise be finalised, and leave the count, at any moment.
        Collect();
        WeakReference[] contexts = [.. Enumerable.Range(0, 20).Select(i => Once(i % 2 == 0))];
        long before = Tensor.TotalCount;
        for (int i = 0; i < 20; i++)
            Once(i % 2 == 0);
        Assert.Equal(before, Tensor.TotalCount);
        Collect();
        Assert.All(contexts, c => Assert.False(c.IsAlive));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference Once(bool backward)
        {
            using var scope = NewDisposeScope();
            Tensor x = ones(4).requires_grad_();
            object witness = new();
            Tensor y = Scaled.apply(x, 1.0, x, witness);
            if (backward)
            {
                y.sum().backward();
                x.grad!.Dispose();
            }

            return new WeakReference(witness);
        }

        static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
        }
    }

    // a * x * y
    private sealed class Scaled : autograd.SingleTensorFunction<Scaled>
    {
        public override string Name => nameof(Scaled);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var (x, factor, y) = ((Tensor)vars[0], (double)vars[1], (Tensor)vars[2]);
            ctx.save_for_backward([x, y]);
            ctx.save_data("factor", factor);
            ctx.save_data("witness", vars[3]);
            Assert.False(is_grad_enabled());
            return x * y * factor;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            List<Tensor> saved = ctx.get_saved_variables();
            double factor = (double)ctx.get_data("factor")!;
            if (factor < 0)
                throw new InvalidOperationException("negative factor");
            return [grad_output * saved[1] * factor, null!, saved[1].requires_grad ? grad_output * saved[0] * factor : null!, null!];
        }
    }

    // 2x and 3x
    private sealed class Split : autograd.MultiTensorFunction<Split>
    {
        public override string Name => nameof(Split);

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars) => [(Tensor)vars[0] * 2, (Tensor)vars[0] * 3];

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs) => [(grad_outputs[0] * 2) + (grad_outputs[1] * 3)];
    }
}
