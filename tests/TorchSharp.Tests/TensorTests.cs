// Tensors: making them, sharing memory, reading elements, indexing, errors, random numbers.
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace TorchSharpTests;

public class TensorTests
{
    [Fact]
    public void Random_numbers_equal_PyTorchs()
    {
        using var scope = NewDisposeScope();
        manual_seed(0);
        Assert.Equal([1.5410f, -0.2934f, -2.1788f, 0.5684f], randn(4).data<float>().ToArray().Select(x => MathF.Round(x, 4)));
        using var generator = new Generator(1);
        Assert.Equal(0.7576f, rand(1, generator: generator).item<float>(), 4);
        Tensor state = generator.get_state();
        float[] first = rand(5, generator: generator).data<float>().ToArray();
        generator.set_state(state);
        Assert.Equal(first, rand(5, generator: generator).data<float>().ToArray());
        Assert.Equal([0L, 1, 2, 3, 4], randperm(5).sort().Values.data<long>().ToArray());
    }

    [Fact]
    public void From_array_shares_and_tensor_copies()
    {
        using var scope = NewDisposeScope();
        float[] shared = [1, 2, 3], copied = [1, 2, 3];
        from_array(shared).add_(1);
        tensor(copied).add_(1);
        Assert.Equal([2, 3, 4], shared);
        Assert.Equal([1, 2, 3], copied);
        Tensor part = frombuffer(shared, float32, 2, 1);
        Assert.Equal([3, 4], part.data<float>().ToArray());
        Tensor converted = frombuffer(new byte[] { 1, 2 }, float32);
        Assert.Equal([1f, 2], converted.data<float>().ToArray());
        Assert.Equal([2L, 3], from_array(new int[2, 3]).shape);
    }

    [Fact]
    public void A_shared_array_outlives_its_last_reference_in_managed_code()
    {
        using Tensor t = Shared();
        for (int i = 0; i < 5; i++)
        {
            GC.Collect();
            _ = GC.GetTotalMemory(true);
        }

        Assert.Equal(499_500f, t.sum().item<float>());

        static Tensor Shared() => from_array(Enumerable.Range(0, 1000).Select(i => (float)i).ToArray());
    }

    [Fact]
    public void Bytes_are_the_memory_itself()
    {
        using Tensor t = tensor(new float[] { 1, 2 });
        MemoryMarshal.Cast<byte, float>(t.bytes)[1] = 5;
        Assert.Equal([1, 5], t.data<float>().ToArray());
        using Tensor matrix = zeros(2, 3), turned = matrix.t();
        Assert.ThrowsAny<Exception>(() => turned.bytes.Length);
    }

    [Fact]
    public void Data_follows_strides()
    {
        using var scope = NewDisposeScope();
        Tensor turned = arange(6).view(2, 3).t();
        Assert.Equal([0L, 3, 1, 4, 2, 5], turned.data<long>().ToArray());
        Assert.Equal(4L, turned.data<long>()[1, 1]);
        Assert.Throws<ArgumentException>(() => turned.data<float>());
        Assert.Equal(new long[,] { { 0, 3 }, { 1, 4 }, { 2, 5 } }, turned.data<long>().ToNDArray());
    }

    [Fact]
    public void Bfloat16_goes_out_and_comes_back()
    {
        using var scope = NewDisposeScope();
        Tensor values = tensor(new float[] { 1, -2.5f, 3.140625f, 65280 });
        Tensor narrow = values.bfloat16();
        Assert.Equal(2, narrow.ElementSize);
        Assert.Equal([0x80, 0x3F], narrow.bytes[..2].ToArray());
        Assert.Equal(values.data<float>().ToArray(), narrow.@float().data<float>().ToArray());
        Assert.Equal(-2.5f, narrow[1].ToSingle());
    }

    [Fact]
    public void Shape_errors_are_exceptions_with_the_text()
    {
        using var scope = NewDisposeScope();
        var e = Assert.Throws<ExternalException>(() => ones(2, 3).matmul(ones(4, 5)));
        Assert.Contains("2x3 and 4x5", e.Message, StringComparison.Ordinal);
        Assert.Throws<ExternalException>(() => ones(2, 3).add(ones(4, 5)));
        Assert.Throws<ExternalException>(() => ones(2, 3).view(4, 2));
        Assert.Throws<ExternalException>(() => ones(2).index_select(0, tensor(new long[] { 5 })));
        Assert.Throws<ExternalException>(() => ones(2).cummax(7));
        Assert.Throws<ExternalException>(() => autograd.grad([ones(1, requires_grad: true).sum()], [ones(1, requires_grad: true)]));
        Tensor twice = ones(1, requires_grad: true).square().sum();
        twice.backward();
        Assert.Throws<ExternalException>(() => twice.backward());
        Assert.Equal(2, ones(2).sum().ToSingle()); // still usable
    }

    [Fact]
    public void A_disposed_tensor_says_so()
    {
        Tensor t = ones(2);
        t.Dispose();
        Assert.True(t.IsInvalid);
        Assert.Throws<InvalidOperationException>(() => t.sum());
        t.Dispose();
    }

    [Fact]
    public void In_place_operations_return_the_same_object()
    {
        using Tensor t = ones(2);
        Assert.Same(t, t.add_(1));
        Assert.Same(t, t.mul_(2).zero_());
        Assert.Equal(0, t.sum().ToSingle());
    }

    [Fact]
    public void Equality_is_elementwise_and_Equals_is_not()
    {
        using var scope = NewDisposeScope();
        Tensor a = tensor(new long[] { 1, 2 }), b = tensor(new long[] { 1, 3 });
        Assert.Equal([true, false], a.equal(b).data<bool>().ToArray());
        Assert.Equal([true, false], (a == b).data<bool>().ToArray());
        Assert.False(a.Equals(b));
        Assert.True(a.Equals(a.clone()));
    }

    [Fact]
    public void Indices_pick_and_place()
    {
        using var scope = NewDisposeScope();
        Tensor t = arange(24).view(2, 3, 4);
        Assert.Equal(23L, t[1, 2, 3].item<long>());
        Assert.Equal([2L, 4], t[TensorIndex.Colon, 1].shape);
        Assert.Equal([2L, 3, 2], t[TensorIndex.Ellipsis, 1..3].shape);
        Assert.Equal([2L, 3, 1, 4], t[TensorIndex.Ellipsis, TensorIndex.None, TensorIndex.Colon].shape);
        Assert.Equal([3L, 11, 15, 23], t[TensorIndex.Colon, TensorIndex.Tensor(tensor(new long[] { 0, 2 })), ^1].view(-1).data<long>().ToArray());
        Assert.Equal([0L, 2], t[0, 0][TensorIndex.Slice(step: 2)].data<long>().ToArray());
        t[TensorIndex.Colon, 0, 0] = tensor(-1L);
        Assert.Equal(-2, t.clamp_max(0).sum().ToInt64());
        t[TensorIndex.Tensor(t.lt(0))] = tensor(7L);
        Assert.Equal(7L, t[1, 0, 0].item<long>());
        Tensor sums = zeros(3);
        sums.index_put_(ones(4), [tensor(new long[] { 0, 0, 2, 0 })], accumulate: true);
        Assert.Equal([3f, 0, 1], sums.data<float>().ToArray());
    }

    [Fact]
    public void Conversions_that_change_nothing_share_storage()
    {
        using var scope = NewDisposeScope();
        Tensor t = ones(2), same = t.to(float32), copy = t.to(float32, copy: true);
        Assert.NotSame(t, same);
        t.zero_();
        Assert.Equal(0, same.sum().ToSingle());
        Assert.Equal(2, copy.sum().ToSingle());
    }

    [Fact]
    public void Composed_members_agree_with_their_definitions()
    {
        using var scope = NewDisposeScope();
        Tensor t = tensor(new float[] { 3, 1, 2, 2 }).view(2, 2);
        Assert.Equal([2f, 2], t.mean([1]).data<float>().ToArray());
        Assert.Equal(MathF.Sqrt(2), t.std(1L)[0].ToSingle(), 5);
        Assert.Equal([1f, 2, 3], t.unique().output.data<float>().ToArray());
        Assert.Equal([1f, 0, 1, 1], t.div(2, RoundingMode.floor).view(-1).data<float>().ToArray());
        Assert.Equal(2, t.split(1, 0).Length);
        Assert.Equal([0L, 2, 3, 1], t.view(-1).argsort(descending: true).data<long>().ToArray());
        Assert.Equal([2L, 1], t.squeeze().unsqueeze(-1)[0].shape);
        Assert.Equal([3f, 1], where(t.gt(1), t, ones_like(t))[0].data<float>().ToArray());
        Assert.Equal(2L, einsum("ij,jk->ik", t, t).ndim);
    }
}
