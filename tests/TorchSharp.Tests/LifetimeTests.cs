// Who releases tensors, and when: dispose scopes, finalizers, long loops. Not parallel: the counts are of the process.
using System.Diagnostics;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace TorchSharpTests;

[CollectionDefinition(nameof(LifetimeTests), DisableParallelization = true)]
public sealed class LifetimeCollection;

[Collection(nameof(LifetimeTests))]
public class LifetimeTests
{
    [Fact]
    public void A_scope_disposes_what_was_made_in_it()
    {
        Tensor inner, moved, detached, outer;
        using (var outside = NewDisposeScope())
        {
            using (var scope = NewDisposeScope())
            {
                inner = ones(2);
                moved = ones(2).MoveToOuterDisposeScope();
                detached = ones(2).DetachFromDisposeScope();
                Assert.Equal(1, scope.DisposablesCount);
                Assert.True(outside.Contains(moved));
            }

            outer = ones(2);
            Assert.True(inner.IsInvalid);
            Assert.False(moved.IsInvalid);
            Assert.Equal(2, outside.DisposablesCount);
            outside.DisposeEverythingBut(outer);
            Assert.True(moved.IsInvalid);
            Assert.False(outer.IsInvalid);
        }

        Assert.True(outer.IsInvalid);
        Assert.False(detached.IsInvalid);
        detached.Dispose();
    }

    [Fact]
    public void Scopes_are_per_thread()
    {
        using var scope = NewDisposeScope();
        Tensor? elsewhere = null;
        var thread = new Thread(() => elsewhere = ones(2));
        thread.Start();
        thread.Join();
        Assert.Equal(0, scope.DisposablesCount);
        elsewhere!.Dispose();
    }

    [Fact]
    public void Disposing_in_any_order_keeps_the_count_right()
    {
        using var scope = NewDisposeScope();
        Tensor[] all = Enumerable.Range(0, 500).Select(_ => ones(1)).ToArray();
        var random = new Random(5);
        random.Shuffle(all);
        for (int i = 0; i < 450; i++) all[i].Dispose();
        Tensor[] more = Enumerable.Range(0, 50).Select(_ => ones(1)).ToArray();
        Assert.Equal(100, scope.DisposablesCount);
        Assert.All(more, t => Assert.True(scope.Contains(t)));
        Assert.Equal(100, scope.DisposablesView.Count);
    }

    [Fact]
    public void Statistics_count_by_thread()
    {
        DisposeScopeManager.Statistics.Reset();
        ones(1).Dispose();
        using (NewDisposeScope())
        {
            ones(1).Dispose();
            _ = ones(1);
            ones(1).DetachFromDisposeScope().Dispose();
        }

        LifetimeStatistics s = DisposeScopeManager.Statistics.TensorStatistics;
        Assert.Equal((3, 1, 2, 2, 1), (s.CreatedInScopeCount, s.CreatedOutsideScopeCount, s.DisposedInScopeCount, s.DisposedOutsideScopeCount, s.DetachedFromScopeCount));
        Assert.Equal(0, s.ThreadTotalLiveCount);
    }

    [Fact]
    public void Gradients_survive_the_scope_of_the_step()
    {
        using Tensor w = ones(2, requires_grad: true);
        using (NewDisposeScope()) (w * w).sum().backward();
        using Tensor? g = w.grad;
        Assert.Equal([2, 2], g!.data<float>().ToArray());
    }

    [Fact]
    public void Forgotten_tensors_are_finalized()
    {
        long before = Settled();
        Forget();
        Assert.True(Settled() <= before, $"{Tensor.TotalCount - before} tensors are left");

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Forget()
        {
            for (int i = 0; i < 200; i++) _ = ones(10).add(1);
        }
    }

    [Fact]
    public void Ten_thousand_training_steps_leave_nothing_behind()
    {
        using Tensor x = randn(16, 32), y = randn(16, 8), w = randn(8, 32).requires_grad_();
        using var keep = NewDisposeScope();
        long tensors = 0, memory = 0;
        float first = 0, last = 0;
        for (int step = 0; step < 10_000; step++)
        {
            using var scope = NewDisposeScope();
            Tensor loss = nn.functional.mse_loss(nn.functional.linear(x, w), y);
            loss.backward();
            using (no_grad()) w.sub_(w.grad! * 0.01f);
            w.grad!.zero_();
            last = loss.item<float>();
            if (step == 0) first = last;
            if (step == 2000)
            {
                tensors = Tensor.TotalCount;
                memory = Resident();
            }
        }

        Assert.True(last < first);
        Assert.True(Tensor.TotalCount <= tensors + 10, $"tensors grew by {Tensor.TotalCount - tensors}");
        Assert.True(Resident() - memory < 48 << 20, $"resident memory grew by {(Resident() - memory) >> 20} MiB");
    }

    [Fact]
    public void Big_blocks_go_back_to_the_system()
    {
        long before = Resident();
        for (int i = 0; i < 20; i++)
        {
            using Tensor big = zeros(64 << 20); // 256 MiB
        }

        Assert.True(Resident() - before < 400L << 20, $"resident memory grew by {(Resident() - before) >> 20} MiB");
    }

    [Fact]
    public void Many_threads_may_compute_and_release_at_once()
    {
        Parallel.For(0, 64, i =>
        {
            using var scope = NewDisposeScope();
            Tensor a = randn(64, 64), b = randn(1, 2, 64, 16);
            for (int k = 0; k < 20; k++)
            {
                a = a.matmul(a).tanh();
                nn.functional.scaled_dot_product_attention(b, b, b, is_casual: true);
            }

            Assert.True(a.isfinite().all().ToBoolean());
        });
    }

    private static long Resident()
    {
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }

    private static long Settled()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return Tensor.TotalCount;
    }
}
