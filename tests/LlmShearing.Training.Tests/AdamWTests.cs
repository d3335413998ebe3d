// What the optimizer promises besides its formula: untouched parameters, 16-bit weights, determinism, resuming, refusals.
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class AdamWTests
{
    [Fact]
    public void Step_ManyPieces_EqualsTheScalarFormula()
    {
        const int Length = (3 * AdamKernel.Piece) + 13;
        using var generator = new Generator(1);
        using var p = new Parameter(randn([Length], generator: generator));
        float[] w = [.. p.data<float>()], m = new float[Length], v = new float[Length];
        using var adam = new AdamWOptimizer([Group(p) with { WeightDecay = 0.1 }]);
        for (int step = 1; step <= 3; step++)
        {
            using Tensor gradient = randn([Length], generator: generator);
            p.grad = gradient;
            float[] g = [.. gradient.data<float>()];
            adam.Step([0.01], 0.5);
            for (int i = 0; i < Length; i++)
            {
                double scaled = 0.5 * g[i], kept = w[i] * (1 - (0.01 * 0.1));
                m[i] = (float)((0.9 * m[i]) + (0.1 * scaled));
                v[i] = (float)((0.95 * v[i]) + (0.05 * scaled * scaled));
                w[i] = (float)(kept - (0.01 / (1 - Math.Pow(0.9, step)) * m[i] / ((Math.Sqrt(v[i]) / Math.Sqrt(1 - Math.Pow(0.95, step))) + 1e-8)));
            }
        }

        Near.Equal(w, [.. p.data<float>()], 1e-6, 1e-6, "parameter");
        Near.Equal(v, [.. adam.State["exp_avg_sq.p"].data<float>()], 1e-7, 1e-5, "second moment");
    }

    [Fact]
    public void StepAndNorm_OtherNumberOfThreads_SameBits()
    {
        int before = get_num_threads();
        try
        {
            (float[] Values, double Norm)[] runs = [.. new[] { 1, 2, 5 }.Select(threads =>
            {
                set_num_threads(threads);
                using var generator = new Generator(2);
                using var p = new Parameter(randn([200_000], generator: generator));
                using Tensor gradient = randn([200_000], generator: generator);
                using var adam = new AdamWOptimizer([Group(p)]);
                p.grad = gradient;
                adam.Step([0.1]);
                return ((float[])[.. p.data<float>()], adam.GradientNorm());
            })];
            Assert.All(runs, r => Assert.Equal(runs[0].Values, r.Values));
            Assert.All(runs, r => Assert.Equal(runs[0].Norm, r.Norm));
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void Step_TensorOperators_EqualPlainMemory()
    {
        using var generator = new Generator(3);
        using var scope = NewDisposeScope();
        foreach (ParameterGroup settings in new[] { new ParameterGroup { Name = "g", Parameters = [], LearningRate = 1, WeightDecay = 0.1, Decay = DecayKind.L2, Maximize = true }, new ParameterGroup { Name = "g", Parameters = [], LearningRate = 1, WeightDecay = 0.1 } })
        {
            Tensor start = randn([300], generator: generator);
            var a = new Parameter(start.clone());
            var b = new Parameter(start.clone());
            var slot = new AdamSlot(new TrainableParameter("b", b), settings, 0);
            using var adam = new AdamWOptimizer([settings with { Parameters = [new TrainableParameter("a", a)] }]);
            for (int i = 0; i < 4; i++)
            {
                Tensor gradient = randn([300], generator: generator);
                a.grad = gradient;
                adam.Step([0.05], 0.3);
                using (no_grad())
                    AdamWork.Apply(slot, gradient, slot.Next(0.05, 0.3));
            }

            Near.Equal([.. a.data<float>()], [.. b.data<float>()], 1e-6, 1e-5, settings.Decay.ToString());
            foreach ((_, Tensor value) in slot.State())
                value.Dispose();
        }
    }

    [Fact]
    public void Step_SixteenBitParameter_MovesByStepsBelowItsResolution()
    {
        using var half = new Parameter(ones(100, dtype: ScalarType.BFloat16));
        using var single = new Parameter(ones(100));
        using var adam = new AdamWOptimizer([Group(half), Group(single) with { Parameters = [new TrainableParameter("q", single)] }]);
        using Tensor gradient = ones(100);
        for (int i = 0; i < 50; i++)
        {
            half.grad = gradient;
            single.grad = gradient;
            adam.Step([1e-4, 1e-4]);   // a bfloat16 below 1 resolves 0.004
        }

        Assert.Equal(single.data<float>().ToArray(), adam.State["master.p"].data<float>().ToArray());
        using Tensor rounded = single.to(ScalarType.BFloat16);
        Assert.True(half.eq(rounded).all().item<bool>());
        Assert.True(half.to(ScalarType.Float32)[0].item<float>() < 1);
    }

    [Fact]
    public void CompleteRestore_StateOfAnother_ContinuesWithTheSameBits()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        Tensor[] gradients = [.. Enumerable.Range(0, 6).Select(_ => randn([3, 5], generator: generator))];
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            var whole = new Parameter(ones([3, 5], dtype: dtype));
            var resumed = new Parameter(zeros([3, 5], dtype: dtype));
            using var first = new AdamWOptimizer([Group(whole)]);
            using var second = new AdamWOptimizer([Group(resumed)]);
            Run(first, whole, gradients[..3]);
            using (no_grad())
            {
                resumed.copy_(dtype == ScalarType.Float32 ? whole : resumed);   // the float32 copy brings 16-bit weights along
                foreach ((string name, Tensor value) in first.State)
                    second.State[name].copy_(value);
            }

            second.CompleteRestore(first.StepCounts);
            Run(first, whole, gradients[3..]);
            Run(second, resumed, gradients[3..]);
            Assert.True(whole.eq(resumed).all().item<bool>(), dtype.ToString());
        }
    }

    [Fact]
    public void CompleteRestore_CountsOfAnotherModel_AreRefused()
    {
        using var p = new Parameter(zeros(2));
        using var adam = new AdamWOptimizer([Group(p)]);
        Assert.Contains("updates of p is missing", Refusal(() => adam.CompleteRestore(new Dictionary<string, long>())), StringComparison.Ordinal);
        Assert.Contains("updates of p is -1", Refusal(() => adam.CompleteRestore(new Dictionary<string, long> { ["p"] = -1 })), StringComparison.Ordinal);
        Assert.Contains("updates of q", Refusal(() => adam.CompleteRestore(new Dictionary<string, long> { ["p"] = 1, ["q"] = 1 })), StringComparison.Ordinal);
        Assert.Equal(0, adam.StepCounts["p"]);
    }

    [Fact]
    public void Step_BadArguments_AreRefusedAndChangeNothing()
    {
        using var p = new Parameter(ones(2));
        using var adam = new AdamWOptimizer([Group(p)]);
        using Tensor gradient = ones(2), wrong = ones(1, 2);
        p.grad = gradient;
        Assert.Contains("2 learning rates for 1 groups", Refusal(() => adam.Step([1, 1])), StringComparison.Ordinal);
        Assert.Contains("of this step is NaN", Refusal(() => adam.Step([double.NaN])), StringComparison.Ordinal);
        Assert.Contains("of this step is -1", Refusal(() => adam.Step([-1])), StringComparison.Ordinal);
        Assert.Contains("scale of the gradients is NaN", Refusal(() => adam.Step([1], double.NaN)), StringComparison.Ordinal);
        p.grad = wrong;
        Assert.Contains("gradient of p is [1, 2]", Refusal(() => adam.Step([1])), StringComparison.Ordinal);
        Assert.Equal([1f, 1f], p.data<float>().ToArray());
        Assert.Equal(0, adam.StepCounts["p"]);
        p.grad = null;
    }

    [Fact]
    public void Constructor_BadGroups_AreRefused()
    {
        using var p = new Parameter(zeros(2));
        using var integers = new Parameter(zeros(2, dtype: ScalarType.Float64));
        using var transposed = new Parameter(zeros(2, 3).t());
        ParameterGroup group = Group(p);
        (ParameterGroup[] Groups, string Message)[] cases =
        [
            ([], "no parameter"),
            ([group with { LearningRate = 0 }], "\"all\": the learning rate is 0, but must be above 0"),
            ([group with { LearningRate = -1 }], "learning rate is -1"),
            ([group with { LearningRate = double.NaN }], "learning rate is NaN"),
            ([group with { WeightDecay = -0.1 }], "weight decay is -0.1"),
            ([group with { Beta1 = 1 }], "beta1 is 1"),
            ([group with { Beta2 = double.NaN }], "beta2 is NaN"),
            ([group with { Epsilon = 0 }], "epsilon is 0"),
            ([group, group], "p is given twice"),
            ([group, group with { Parameters = [new TrainableParameter("q", p)] }], "q is given twice"),
            ([Group(integers)], "p is Float64"),
            ([Group(transposed)], "p is not contiguous"),
        ];
        foreach ((ParameterGroup[] groups, string message) in cases)
            Assert.Contains(message, Refusal(() => new AdamWOptimizer(groups).Dispose()), StringComparison.Ordinal);
    }

    // Sizes around the width of a vector and the length of a piece; the extreme in every place that is computed in another way.
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(67)]
    [InlineData(100_003)]
    public void GradientNorm_Infinity_IsTheLargestMagnitude(int length)
    {
        foreach (int at in new[] { 0, length / 2, length - 1 })
        {
            using var p = new Parameter(zeros(length));
            using var adam = new AdamWOptimizer([Group(p)]);
            float[] values = [.. Enumerable.Range(0, length).Select(i => MathF.Sin(i))];
            foreach (float extreme in new[] { -3f, 4f, float.NegativeInfinity, float.NaN })
            {
                values[at] = extreme;
                using Tensor gradient = tensor(values);
                p.grad = gradient;
                Assert.Equal(Math.Abs((double)extreme), adam.GradientNorm(GradientNorm.Infinity));
            }
        }
    }

    [Fact]
    public void GradientNorm_InfinityOverGroupsAnd16Bits_AgreesWithTheOperators()
    {
        using var one = new Parameter(zeros(3, ScalarType.BFloat16));
        using var two = new Parameter(zeros(2));
        using Tensor first = tensor(new[] { 1f, -7f, 2f }).to(ScalarType.BFloat16), second = tensor(new[] { 5f, 6f });
        using var adam = new AdamWOptimizer([Group(one), Group(two) with { Parameters = [new TrainableParameter("q", two)] }]);
        Assert.Equal(0, adam.GradientNorm(GradientNorm.Infinity));
        (one.grad, two.grad) = (first, second);
        Assert.Equal(7, adam.GradientNorm(GradientNorm.Infinity));
        Assert.Equal(0.5 / (7 + 1e-6), AdamWOptimizer.ClipScale(adam.GradientNorm(GradientNorm.Infinity), 0.5), 12);
    }

    [Fact]
    public void NormAndStep_UnclippedGroup_StaysOutOfBoth()
    {
        using var clipped = new Parameter(zeros(2));
        using var free = new Parameter(zeros(1));
        using Tensor first = tensor(new[] { 3f, 4f }), second = tensor(new[] { 100f }), bad = tensor(new[] { float.NaN });
        using var adam = new AdamWOptimizer([Group(clipped), Group(free) with { Unclipped = true, Parameters = [new TrainableParameter("q", free)] }]);
        (clipped.grad, free.grad) = (first, second);
        Assert.Equal(5, adam.GradientNorm(), 12);
        adam.Step([0.1, 0.1], 0.5);
        Assert.Equal([0.15f, 0.2f], adam.State["exp_avg.p"].data<float>());   // (1 - 0.9) * 0.5 * gradient
        Assert.Equal(10, adam.State["exp_avg.q"].data<float>()[0], 5);
        free.grad = bad;
        Assert.True(double.IsNaN(adam.GradientNorm()));
    }

    private static ParameterGroup Group(Parameter p) => new() { Name = "all", LearningRate = 0.1, Parameters = [new TrainableParameter("p", p)] };

    private static string Refusal(Action action) => Assert.Throws<TrainingException>(action).Message;

    private static void Run(AdamWOptimizer adam, Parameter p, Tensor[] gradients)
    {
        foreach (Tensor gradient in gradients)
        {
            p.grad = gradient;
            adam.Step([0.01]);
        }
    }
}
