// The fused projection against the same composed of operators, which the goldens of PEFT cover through every other test, and against differences.
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public class LoraFunctionTests
{
    // Rows, in, out, rank: one row, odd rows, several pieces, widths that are no multiple of a vector, ranks on both sides of a group.
    public static TheoryData<int, int, int, int, double> Sizes => new()
    {
        { 1, 8, 5, 1, 0 }, { 3, 16, 24, 4, 0.3 }, { 7, 33, 17, 3, 0.3 }, { 33, 40, 72, 8, 0 }, { 300, 21, 50, 5, 0.1 }, { 700, 64, 48, 9, 0.5 }, { 257, 96, 8, 16, 0.05 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Project_AllSizes_EqualsComposed(int rows, int inputs, int outputs, int rank, double dropout)
    {
        foreach (bool bias in new[] { false, true })
        {
            using Case c = new(rows, inputs, outputs, rank, dropout, bias);
            Same(c.Run(c.Tap.Compose), c.Run(c.Tap.Project), 1e-6);
        }
    }

    [Fact]
    public void Project_InputWithoutGradient_FactorsGetTheirs()
    {
        using Case c = new(20, 24, 32, 8, 0.2, bias: false) { InputNeedsGradient = false };
        Result expected = c.Run(c.Tap.Compose), actual = c.Run(c.Tap.Project);
        Assert.Null(actual.X);
        Same(expected, actual, 1e-6);
    }

    [Fact]
    public void Project_InputAndGradientNotContiguous_EqualsComposed()
    {
        using Case c = new(40, 24, 32, 8, 0.2, bias: false) { Transposed = true };
        Same(c.Run(c.Tap.Compose), c.Run(c.Tap.Project), 1e-6);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Project_WithoutGraph_SameBitsAsWithOne(ScalarType dtype)
    {
        using Case c = new(40, 24, 32, 8, 0.2, bias: true, dtype);
        using var scope = NewDisposeScope();
        float[] withGraph = TinyLora.Values(c.Tap.Project(c.Projection, c.Input));
        using IDisposable noGrad = no_grad();
        Assert.Equal(withGraph, TinyLora.Values(c.Tap.Project(c.Projection, c.Input)));
    }

    [Fact]
    public void Project_Gradients_EqualDifferences()
    {
        using Case c = new(6, 10, 7, 3, 0.4, bias: true);
        Result exact = c.Run(c.Tap.Project);
        Check(c.Input, exact.X!);
        Check(c.Tap.A, exact.A);
        Check(c.Tap.B, exact.B);

        // The output is linear in each of the three, so that a wide step costs no accuracy.
        void Check(Tensor variable, float[] gradient)
        {
            using IDisposable noGrad = no_grad();
            for (int i = 0; i < gradient.Length; i++)
            {
                using var scope = NewDisposeScope();
                Tensor at = variable.detach().view(-1).narrow(0, i, 1);
                at.add_(0.5);
                double up = c.Loss(c.Tap.Project).item<float>();
                at.sub_(1.0);
                double down = c.Loss(c.Tap.Project).item<float>();
                at.add_(0.5);
                Near.Equal(up - down, gradient[i], 1e-5, 1e-5);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Project_BFloat16_IsNearFloat32(int rows, int inputs, int outputs, int rank, double dropout)
    {
        using Case wide = new(rows, inputs, outputs, rank, dropout, bias: true), narrow = new(rows, inputs, outputs, rank, dropout, bias: true, ScalarType.BFloat16);
        Assert.True(LoraFunction.Supports(narrow.Projection, narrow.Input));
        Same(wide.Run(wide.Tap.Project), narrow.Run(narrow.Tap.Project), 0.02);
    }

    // One step of bfloat16 in 0.1 % of the elements is left to another order of the sums; an update that is rounded itself changes every tenth element.
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Project_BFloat16_AddsInFloat32AndRoundsOnce(int rows, int inputs, int outputs, int rank, double dropout)
    {
        using Case c = new(rows, inputs, outputs, rank, dropout, bias: true, ScalarType.BFloat16);
        using var scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        Tensor update = c.Tap.OnForward(c.Input)!, own = c.Projection.Linear(c.Input);
        Assert.Equal(ScalarType.Float32, update.dtype);
        float[] expected = Floats((own.to(ScalarType.Float32) + update).to(ScalarType.BFloat16)), actual = Floats(c.Tap.Project(c.Projection, c.Input));
        int different = expected.Zip(actual).Count(p => p.First != p.Second);
        Assert.True(different <= 1 + (expected.Length / 1000), $"{different} of {expected.Length} elements differ");
        Near.Equal(expected, actual, 0, 1.0 / 128);

        static float[] Floats(Tensor values) => TinyLora.Values(values.to(ScalarType.Float32));
    }

    [Fact]
    public void Supports_OtherTypesOrTrainedBase_IsLeftToOperators()
    {
        using Case c = new(4, 8, 8, 2, 0, bias: false);
        Assert.True(LoraFunction.Supports(c.Projection, c.Input));
        using Tensor other = c.Input.detach().to(ScalarType.Float64);
        Assert.False(LoraFunction.Supports(c.Projection, other));
        c.Projection.weight.requires_grad = true;
        Assert.False(LoraFunction.Supports(c.Projection, c.Input));
    }

    [Fact]
    public void Drop_InPieces_SameElementsAsWhole_InBothTypes()
    {
        var mask = new DropoutMask(11, 22, 1u << 30, 2);
        uint[] all = Enumerable.Repeat(7u, 1000).ToArray(), whole = new uint[1000], pieces = new uint[1000];
        ushort[] narrow = [.. all.Select(v => (ushort)v)], half = new ushort[1000];
        const long First = (1L << 32) - 500;   // where the index leaves 32 bits
        mask.Drop(all, whole, First);
        for (int i = 0; i < whole.Length; i += 37)
            mask.Drop(all.AsSpan(i, Math.Min(37, whole.Length - i)), pieces.AsSpan(i), First + i);
        mask.Drop(narrow, half, First);
        Assert.Equal(whole, pieces);
        Assert.Equal(whole, half.Select(v => (uint)v));
        Assert.InRange(whole.Count(v => v == 0), 200, 300);
        Assert.All(whole, v => Assert.True(v is 0 or 7));
        uint[] start = new uint[500];
        mask.Drop(all.AsSpan(0, 500), start, 0);
        Assert.NotEqual(start, whole[500..]);
    }

    private static void Same(Result expected, Result actual, double tolerance)
    {
        Close(expected.Y, actual.Y);
        Close(expected.A, actual.A);
        Close(expected.B, actual.B);
        if (expected.X is not null)
            Close(expected.X, actual.X!);

        // Relative to the largest value: sums are made in another order.
        void Close(float[] e, float[] a) => Near.Equal(e, a, tolerance * e.Max(Math.Abs), 0);
    }

    private sealed record Result(float[] Y, float[]? X, float[] A, float[] B);

    /// <summary>One projection of a model of the wanted sizes, with its tap, an input and weights for a scalar loss.</summary>
    private sealed class Case : IDisposable
    {
        private readonly LlamaModel _model;
        private readonly LoraAttachment _attachment;
        private readonly Tensor _weights;

        public Case(int rows, int inputs, int outputs, int rank, double dropout, bool bias, ScalarType dtype = ScalarType.Float32)
        {
            _model = TinyLlama.Create(TinyLlama.Config(layers: 1, hidden: inputs, intermediate: outputs, biases: bias), dtype: dtype);
            _attachment = TinyLora.Attach(_model, new LoraOptions { Rank = rank, Alpha = rank * 1.5, Dropout = dropout, TargetModules = ["up_proj"] });
            Projection = _model.layers[0].mlp!.up_proj;
            using var generator = new Generator(5);
            Input = empty([1, rows, inputs], dtype: ScalarType.Float32).normal_(0, 1, generator).to(dtype).DetachFromDisposeScope();
            _weights = empty([1, rows, outputs], dtype: ScalarType.Float32).normal_(0, 1, generator).to(dtype).DetachFromDisposeScope();
            new LoraTrainable(_attachment).BeginMicroBatch(new MicroBatchKey(3, 1, 42));
            Tap = _attachment.Taps[0];
        }

        public Projection Projection { get; }

        public Tensor Input { get; }

        public LoraTap Tap { get; }

        public bool InputNeedsGradient { get; init; } = true;

        public bool Transposed { get; init; }

        public Tensor Loss(Func<Projection, Tensor, Tensor> run) => (run(Projection, Input) * _weights).sum();

        public Result Run(Func<Projection, Tensor, Tensor> run)
        {
            using var scope = NewDisposeScope();
            Tensor x = (Transposed ? Input.transpose(1, 2).contiguous().detach() : Input.detach().clone()).requires_grad_(InputNeedsGradient);
            Tensor y = run(Projection, Transposed ? x.transpose(1, 2) : x);
            Tensor loss = Transposed ? (y.transpose(1, 2) * _weights.transpose(1, 2).contiguous()).sum() : (y * _weights).sum();
            loss.backward();
            var result = new Result(TinyLora.Values(y), x.grad is null ? null : TinyLora.Values(x.grad), TinyLora.Values(Tap.A.grad!), TinyLora.Values(Tap.B.grad!));
            Tap.A.grad = null;
            Tap.B.grad = null;
            return result;
        }

        public void Dispose()
        {
            Input.Dispose();
            _weights.Dispose();
            _attachment.Dispose();
            _model.Dispose();
        }
    }
}
