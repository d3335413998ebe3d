// The distribution of one mask entry: against its own samples, hand-computed values, and finite differences.
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests;

public sealed class HardConcreteTests
{
    private const double Ln100 = 4.605170185988092;
    private static readonly double[] Uniforms = [.01, .1, .3, .5, .7, .9, .99];

    [Theory]
    [InlineData(0), InlineData(1.3), InlineData(-2), InlineData(Ln100), InlineData(-Ln100)]
    public void Sample_MillionDraws_HasTheProbabilities(double logit)
    {
        const int count = 1_000_000;
        double[] uniforms = new double[count];
        new SeededMaskNoise(7).Fill(new MaskFamily(PruningAxes.Hidden, 1, count, null), uniforms);
        int zeros = 0, ones = 0;
        foreach (double u in uniforms)
        {
            double z = HardConcrete.Sample(logit, u).Value;
            zeros += z == 0 ? 1 : 0;
            ones += z == 1 ? 1 : 0;
        }

        WithinFourSigma(HardConcrete.ProbabilityOfZero(logit), (double)zeros / count);
        WithinFourSigma(HardConcrete.ProbabilityOfZero(-logit), (double)ones / count);   // by symmetry

        void WithinFourSigma(double p, double measured) => Near.Equal(p, measured, 4 * Math.Sqrt(p * (1 - p) / count), what: $"share at {logit}");
    }

    [Theory]
    [InlineData(0, 0.5), InlineData(Ln100, 0.98688), InlineData(-Ln100, 0.0131168)]
    public void Sample_EvenlySpacedUniforms_HasTheMean(double logit, double mean)
    {
        const int count = 200_000;
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += HardConcrete.Sample(logit, (i + 0.5) / count).Value;
        Near.Equal(mean, sum / count, 5e-6);
    }

    [Theory]
    [InlineData(0, new[] { 0, 0, .162914, .5, .837086, 1, 1 })]
    [InlineData(1, new[] { 0, .07083, .568417, .881089, 1, 1, 1 })]
    [InlineData(-1, new[] { 0, 0, 0, .118911, .431583, .92917, 1 })]
    public void Sample_GivenUniforms_HasTheValue(double logit, double[] expected)
    {
        for (int i = 0; i < Uniforms.Length; i++)
            Near.Equal(expected[i], HardConcrete.Sample(logit, Uniforms[i]).Value, 6e-7, what: $"u = {Uniforms[i]}");
    }

    [Fact]
    public void Sample_AtTheBound_HasTheValue() => Near.Equal(.504523, HardConcrete.Sample(Ln100, .01).Value, 6e-7);

    [Theory]
    [InlineData(Ln100, 0.0020177, 0.9960347), InlineData(-Ln100, 0.9528702, 0.0039653), InlineData(0, 0.1681778, 0.5)]
    public void ProbabilityAndSoft_KnownLogits_HaveTheValues(double logit, double zero, double soft)
    {
        Near.Equal(zero, HardConcrete.ProbabilityOfZero(logit), 6e-8);
        Near.Equal(1 - zero, HardConcrete.Score(logit).Value, 6e-8);
        Near.Equal(soft, HardConcrete.Soft(logit), 6e-8);
    }

    [Theory]
    [InlineData(0), InlineData(0.7), InlineData(-2.5), InlineData(Ln100), InlineData(-Ln100)]
    public void Derivatives_InsideTheRange_EqualFiniteDifferences(double logit)
    {
        const double h = 1e-6;
        double score = (HardConcrete.Score(logit + h).Value - HardConcrete.Score(logit - h).Value) / (2 * h);
        Near.Equal(score, HardConcrete.Score(logit).Derivative, 1e-9, what: "score");
        Assert.True(HardConcrete.Score(logit).Derivative > 0, "at the bounds too");
        foreach (double u in Uniforms)
        {
            double sample = (HardConcrete.Sample(logit + h, u).Value - HardConcrete.Sample(logit - h, u).Value) / (2 * h);
            Near.Equal(sample, HardConcrete.Sample(logit, u).Derivative, 1e-8, what: $"sample with u = {u}");
        }
    }

    [Theory]
    [InlineData(40), InlineData(-40)]
    public void Score_FarOutside_IsClampedWithoutSlope(double logit)
    {
        (double value, double slope) = HardConcrete.Score(logit);
        Assert.Equal(logit > 0 ? 1 - HardConcrete.Epsilon : HardConcrete.Epsilon, value, 12);
        Assert.Equal(0, slope);
    }
}
