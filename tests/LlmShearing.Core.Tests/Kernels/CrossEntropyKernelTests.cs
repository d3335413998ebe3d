// The pass over plain memory against the same in operators, and on numbers that are not ordinary.
using LlmShearing.Devices;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Kernels;

public class CrossEntropyKernelTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 15)]
    [InlineData(5, 16)]
    [InlineData(7, 33)]
    [InlineData(40, 1000)]
    public void InPlace_Float32_SameAsOperators(int rows, int vocabulary)
    {
        using var scope = NewDisposeScope();
        Tensor logits = Logits(rows, vocabulary), targets = Targets(rows, vocabulary);
        Tensor byOperators = logits.clone(), byKernel = logits.clone();
        double expected;
        using (HostMemory.Avoid())
            expected = CrossEntropy.InPlace(byOperators, targets, 0.25);
        double actual = CrossEntropy.InPlace(byKernel, targets, 0.25);
        Assert.Equal(expected, actual, 1e-5 * rows);
        Near.Equal(HostValues.Floats(byOperators), HostValues.Floats(byKernel), 1e-6);
    }

    [Theory]
    [InlineData(3, 31)]
    [InlineData(20, 515)]
    public void InPlace_BFloat16_ComputesInFloat32AndRoundsOnce(int rows, int vocabulary)
    {
        using var scope = NewDisposeScope();
        Tensor narrow = Logits(rows, vocabulary).to(ScalarType.BFloat16), targets = Targets(rows, vocabulary);
        Tensor wide = narrow.to(ScalarType.Float32);
        double expected = CrossEntropy.InPlace(wide, targets, 0.25), actual = CrossEntropy.InPlace(narrow, targets, 0.25);
        Assert.Equal(expected, actual, 1e-9);
        Assert.Equal(HostValues.Floats(wide.to(ScalarType.BFloat16).to(ScalarType.Float32)), HostValues.Floats(narrow.to(ScalarType.Float32)));
    }

    [Fact]
    public void InPlace_OtherThreadCount_SameBits()
    {
        using var scope = NewDisposeScope();
        Tensor logits = Logits(50, 400), targets = Targets(50, 400), one = logits.clone(), four = logits.clone();
        int threads = get_num_threads();
        try
        {
            set_num_threads(1);
            double a = CrossEntropy.InPlace(one, targets, 1);
            set_num_threads(4);
            Assert.Equal(a, CrossEntropy.InPlace(four, targets, 1));
        }
        finally
        {
            set_num_threads(threads);
        }

        Assert.Equal(HostValues.Floats(one), HostValues.Floats(four));
    }

    [Fact]
    public void InPlace_LargeLogits_NeitherOverflowsNorLosesTheLoss()
    {
        using var scope = NewDisposeScope();
        Tensor logits = tensor(new float[] { 1e4f, -1e4f, 0, float.NegativeInfinity }, 1, 4, device: CPU), targets = tensor(new long[] { 1 }, device: CPU);
        Assert.Equal(2e4, CrossEntropy.InPlace(logits, targets, 1), 1e-3);
        Assert.Equal([1f, -1f, 0f, 0f], HostValues.Floats(logits));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void InPlace_LogitNotFinite_LossSaysSo(float value)
    {
        using var scope = NewDisposeScope();
        foreach (int place in new[] { 0, 20, 39 })
        {
            float[] row = new float[40];
            row[place] = value;
            Assert.False(double.IsFinite(CrossEntropy.InPlace(tensor(row, 1, 40, device: CPU), tensor(new long[] { 1 }, device: CPU), 1)));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    public void InPlace_TargetOutsideVocabulary_IsRefused(long target)
    {
        using var scope = NewDisposeScope();
        var e = Assert.Throws<ArgumentException>(() => CrossEntropy.InPlace(zeros(1, 4, device: CPU), tensor(new[] { target }, device: CPU), 1));
        Assert.Contains($"is {target}, but", e.Message, StringComparison.Ordinal);
    }

    private static Tensor Logits(int rows, int vocabulary)
    {
        using var generator = new Generator(1, CPU);
        return empty(rows, vocabulary, dtype: ScalarType.Float32, device: CPU).normal_(0, 3, generator);
    }

    private static Tensor Targets(int rows, int vocabulary) =>
        tensor(Enumerable.Range(0, rows).Select(i => (long)(i * 7919 % vocabulary)).ToArray(), device: CPU);
}
