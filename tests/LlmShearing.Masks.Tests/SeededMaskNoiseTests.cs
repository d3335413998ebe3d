// Uniform numbers from a seed: the same wherever they are computed, different for every micro-batch and family, and uniform.
using LlmShearing.Training.Steps;

namespace LlmShearing.Masks.Tests;

public sealed class SeededMaskNoiseTests
{
    private static readonly MaskFamily Hidden = new(PruningAxes.Hidden, 1, 10_000, null);

    [Fact]
    public void Fill_SameSeed_SameBitsWhateverTheNumberOfEntries()
    {
        double[] all = Draw(5, Hidden), again = Draw(5, Hidden), few = Draw(5, Hidden with { Size = 10 });
        Assert.Equal(all, again);
        Assert.Equal(all[..10], few);
    }

    [Fact]
    public void Fill_OtherSeedOrFamilyOrMicroBatch_OtherNumbers()
    {
        var key = new MicroBatchKey(3, 0, 1);
        double[][] draws =
        [
            Draw(key.Derive(0), Hidden),
            Draw(key.Derive(1), Hidden),
            Draw(key.Derive(0), Hidden with { Axis = PruningAxes.Intermediate }),
            Draw((key with { MicroBatch = 1 }).Derive(0), Hidden),
            Draw((key with { Step = 4 }).Derive(0), Hidden),
            Draw((key with { Seed = 2 }).Derive(0), Hidden),
        ];
        for (int i = 0; i < draws.Length; i++)
            for (int j = 0; j < i; j++)
            {
                double product = draws[i].Zip(draws[j], (a, b) => (a - 0.5) * (b - 0.5)).Sum();
                double correlation = product * 12 / Hidden.Size;
                Assert.True(Math.Abs(correlation) < 4 / Math.Sqrt(Hidden.Size), $"streams {i} and {j}: correlation {correlation}");
                Assert.DoesNotContain(draws[i].Zip(draws[j]), p => p.First == p.Second);
            }
    }

    [Fact]
    public void Fill_MillionNumbers_AreUniformWithinTheBounds()
    {
        double[] u = Draw(11, Hidden with { Size = 1_000_000 });
        int[] bins = new int[100];
        foreach (double x in u)
        {
            Assert.InRange(x, HardConcrete.Epsilon, 1 - HardConcrete.Epsilon);
            bins[(int)(x * bins.Length)]++;
        }

        double expected = (double)u.Length / bins.Length, chiSquare = bins.Sum(b => (b - expected) * (b - expected) / expected);
        Assert.InRange(chiSquare, 99 - (4 * Math.Sqrt(198)), 99 + (4 * Math.Sqrt(198)));
    }

    private static double[] Draw(ulong seed, MaskFamily family)
    {
        double[] numbers = new double[family.Count];
        new SeededMaskNoise(seed).Fill(family, numbers);
        return numbers;
    }
}
