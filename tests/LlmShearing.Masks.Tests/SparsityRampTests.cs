using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests;

public sealed class SparsityRampTests
{
    [Theory]
    [InlineData(0, 0.1), InlineData(5, 0.35), InlineData(10, 0.6), InlineData(11, 0.6), InlineData(100_000, 0.6)]
    public void At_Steps_RisesLinearly(long step, double expected) => Near.Equal(expected, new SparsityRamp(10, 0.1).At(step, 0.6), 1e-15);

    [Fact]
    public void At_NoWarmup_IsFullAtOnce() => Assert.Equal(0.6, new SparsityRamp(0, 0.1).At(0, 0.6));

    [Theory]
    [InlineData(-1, 0.0, "warm-up is -1"), InlineData(5, 1.0, "start sparsity is 1"), InlineData(5, -0.1, "start sparsity"), InlineData(5, double.NaN, "start sparsity")]
    public void Constructor_OutOfRange_IsRefused(long warmup, double start, string message) =>
        Assert.Contains(message, Assert.Throws<MaskException>(() => new SparsityRamp(warmup, start)).Message, StringComparison.Ordinal);
}
