using System.Diagnostics;
using LlmShearing.Data.Batches;
using Xunit;

namespace LlmShearing.Data.Tests.Batches;

public class RowPermutationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(97)]
    [InlineData(1000)]
    [InlineData(4096)]
    [InlineData(65537)]
    public void At_EveryPlace_GivesEveryRowOnce(int count)
    {
        for (ulong seed = 0; seed < 5; seed++)
        {
            var order = new RowPermutation(count, seed);
            Assert.Equal(Enumerable.Range(0, count).Select(i => (long)i), Enumerable.Range(0, count).Select(i => order.At(i)).Order());
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void At_ManySeeds_GivesAllOrdersEquallyOften(int count)
    {
        const int Seeds = 60000;
        var seen = new Dictionary<string, int>();
        for (int seed = 0; seed < Seeds; seed++)
        {
            var order = new RowPermutation(count, (ulong)seed);
            string key = string.Concat(Enumerable.Range(0, count).Select(i => order.At(i)));
            seen[key] = seen.GetValueOrDefault(key) + 1;
        }

        int orders = Enumerable.Range(1, count).Aggregate(1, (a, b) => a * b);
        double expected = Seeds / (double)orders;
        double chiSquare = seen.Values.Sum(n => (n - expected) * (n - expected) / expected) + ((orders - seen.Count) * expected);
        Assert.True(chiSquare < Limit(orders - 1), $"chi-square {chiSquare:F1} with {orders - 1} degrees of freedom; {seen.Count} of {orders} orders seen");
    }

    [Theory]
    [InlineData(100)]
    [InlineData(1000)]
    [InlineData(4097)]
    public void At_OneSeed_MixesFarAndNear(int count)
    {
        // Where rows of each tenth go, and how neighbours lie to each other, as in a random order.
        const int Seeds = 200, Cells = 10;
        int[,] moved = new int[Cells, Cells];
        int[] gaps = new int[Cells];
        for (ulong seed = 0; seed < Seeds; seed++)
        {
            var order = new RowPermutation(count, seed);
            long before = order.At(count - 1);
            for (int i = 0; i < count; i++)
            {
                long at = order.At(i);
                moved[i * Cells / count, at * Cells / count]++;
                gaps[(at - before + count) % count * Cells / count]++;
                before = at;
            }
        }

        double perCell = Seeds * (double)count / (Cells * Cells), perGap = Seeds * (double)count / Cells;
        double chiMoved = moved.Cast<int>().Sum(n => (n - perCell) * (n - perCell) / perCell), chiGaps = gaps.Sum(n => (n - perGap) * (n - perGap) / perGap);
        Assert.True(chiMoved < Limit(99), $"{chiMoved:F1}");
        Assert.True(chiGaps < 3 * Limit(9), $"{chiGaps:F1}");
    }

    [Fact]
    public void At_PlaceTenBillion_CostsAboutWhatPlaceTenCosts()
    {
        var order = new RowPermutation(20_000_000_000, 7);
        Assert.InRange(order.At(10_000_000_000), 0, order.Count - 1);
        var watch = Stopwatch.StartNew();
        for (long i = 0; i < 1000; i++)
            order.At(10_000_000_000 + i);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"1000 places took {watch.Elapsed}");
    }

    [Fact]
    public void At_LargestCount_StaysInside()
    {
        var order = new RowPermutation(1L << 62, 3);
        Assert.Equal(100, Enumerable.Range(0, 100).Select(i => order.At((1L << 62) - 1 - i)).Distinct().Count(x => x is >= 0 and < 1L << 62));
    }

    [Fact]
    public void At_OutsideTheOrder_Throws()
    {
        var order = new RowPermutation(10, 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => order.At(10));
        Assert.Throws<ArgumentOutOfRangeException>(() => order.At(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowPermutation(0, 0));
    }

    // About the 99.99 % quantile of chi-square (Wilson and Hilferty).
    private static double Limit(int degrees)
    {
        double a = 2.0 / (9 * degrees);
        return degrees * Math.Pow(1 - a + (3.72 * Math.Sqrt(a)), 3);
    }
}
