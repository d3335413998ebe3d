using System.Text.Json.Nodes;
using LlmShearing.Data.Domains;
using LlmShearing.Testing;
using Xunit;

namespace LlmShearing.Data.Tests.Domains;

public class ReferenceLossRuleTests
{
    private const string Golden = "shearing/dynamic-loading/update-rule.json";

    // Proportions of LLM-Shearing's pruning stage, and differences to the reference of one evaluation.
    private static readonly double[] Start = [0.67, 0.045, 0.045, 0.02, 0.045, 0.025, 0.15];
    private static readonly double[] Differences = [0.4, 0.1, 0.5, 0.2, 0.5, 0.2, 0.5];

    // All sequences of the original, each update from its own proportions before, and compounding from the first ones.
    [GoldenFact(Golden)]
    public void Next_SequencesOfTheOriginal_GivesItsProportions()
    {
        int updates = 0;
        foreach (JsonNode? sequence in JsonNode.Parse(File.ReadAllText(Goldens.Path(Golden)))!["sequences"]!.AsArray())
        {
            double[] reference = Numbers(sequence!["target_loss"]), compounding = Numbers(sequence["initial_proportion"]);
            string[] names = [.. sequence["set_names"]!.AsArray().Select(n => n!.GetValue<string>())];
            var options = new ReferenceLossOptions { Update = Enum.Parse<ProportionUpdate>(sequence["update_type"]!.GetValue<string>(), ignoreCase: true) };
            for (int i = 0; i < names.Length; i++)
                options.Losses[names[i]] = reference[i];
            var rule = new ReferenceLossRule(options, names);
            foreach (JsonNode? step in sequence["steps"]!.AsArray())
            {
                double[] losses = Numbers(step!["losses"]), expected = Numbers(step["proportion_after"]);
                compounding = rule.Next(compounding, losses);
                Near(expected, rule.Next(Numbers(step["proportion_before"]), losses), 5e-7);
                Near(expected, compounding, 5e-7);
                updates++;
            }
        }

        Assert.Equal(107, updates);
    }

    [Theory]
    [InlineData(1, "0.666335 0.033168 0.049474 0.016299 0.049474 0.020370 0.164880")]
    [InlineData(2, "0.658055 0.024280 0.054011 0.013193 0.054011 0.016484 0.179966")]
    [InlineData(3, "0.645979 0.017671 0.058609 0.010617 0.058609 0.013263 0.195253")]
    [InlineData(64, "0.004751 0.000043 0.187148 0.000055 0.187148 0.000055 0.620800")]
    public void Next_DifferencesOfTheSpecification_GivesItsTable(int updates, string expected)
    {
        ReferenceLossRule rule = Rule();
        double[] shares = Start;
        for (int i = 0; i < updates; i++)
            shares = rule.Next(shares, Losses(Differences));
        Near([.. expected.Split(' ').Select(double.Parse)], shares, 1e-6);
    }

    [Fact]
    public void Next_RandomLosses_KeepsTheInvariants()
    {
        var random = new Random(3);
        for (int trial = 0; trial < 300; trial++)
        {
            int count = random.Next(1, 9);
            var update = (ProportionUpdate)random.Next(0, 2);
            double smoothing = Math.Pow(10, -1 - random.Next(0, 4));
            ReferenceLossRule rule = Rule(o => (o.Update, o.Smoothing, o.ClipDifferences) = (update, smoothing, random.Next(2) == 0), count);
            double[] shares = Shares(random, count), losses = [.. shares.Select(_ => 20 * random.NextDouble())];
            double[] next = rule.Next(shares, losses);
            Assert.Equal(1, next.Sum(), 14);
            Assert.All(next, p => Assert.True(p >= smoothing / count * (1 - 1e-12), $"{p} is below the floor"));
            int[] order = [.. Enumerable.Range(0, count).OrderBy(_ => random.Next())];
            Near([.. order.Select(i => next[i])], rule.Next([.. order.Select(i => shares[i])], [.. order.Select(i => losses[i])]), 1e-14);
            if (update == ProportionUpdate.Doremi)
                Assert.Equal(Ranks(shares), Ranks(rule.Next(shares, [.. shares.Select(_ => 1.7)])));   // equal differences keep the order
        }
    }

    [Fact]
    public void Next_EqualDifferences_OnlySmooths()
    {
        double[] next = Rule().Next(Start, Losses([0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]));
        Near([.. Start.Select(p => (p * (1 - 1e-4)) + (1e-4 / 7))], next, 1e-15);
    }

    [Fact]
    public void Next_Constant_ChangesNothing() =>
        Assert.Equal(Start, Rule(o => o.Update = ProportionUpdate.Constant).Next(Start, Losses(Differences)));

    [Fact]
    public void Next_Clipped_CountsWhatIsReachedAsZero()
    {
        double[] mixed = [0.4, -0.1, 0.5, -0.2, 0.5, -3, 0.5];
        double[] clipped = Rule(o => o.ClipDifferences = true).Next(Start, Losses(mixed));
        Assert.Equal(Rule().Next(Start, Losses([.. mixed.Select(d => Math.Max(d, 0))])), clipped);
        Assert.NotEqual(Rule().Next(Start, Losses(mixed)), clipped);
    }

    [Fact]
    public void Next_SignedDifferences_IgnoreWhatIsAddedToAll() =>
        Near(Rule().Next(Start, Losses(Differences)), Rule().Next(Start, Losses([.. Differences.Select(d => d - 0.9)])), 1e-15);

    [Fact]
    public void Next_MaxChange_ShortensTheStepAndKeepsItsDirection()
    {
        double[] far = Rule().Next(Start, Losses([3, 0, 0, 0, 0, 0, 0])), near = Rule(o => o.MaxChange = 0.01).Next(Start, Losses([3, 0, 0, 0, 0, 0, 0]));
        Assert.Equal(0.01, near.Zip(Start, (n, s) => Math.Abs(n - s)).Max(), 15);
        double part = (near[0] - Start[0]) / (far[0] - Start[0]);
        Near([.. far.Zip(Start, (f, s) => s + (part * (f - s)))], near, 1e-15);
        Assert.Equal(Rule().Next(Start, Losses(Differences)), Rule(o => o.MaxChange = 0.5).Next(Start, Losses(Differences)));
    }

    [Fact]
    public void Next_MinimumShares_HoldAndTheOthersGiveInProportion()
    {
        void Minimums(ReferenceLossOptions o) => (o.MinimumShares["d1"], o.MinimumShares["d3"]) = (0.1, 0.05);
        double[] free = Rule().Next(Start, Losses(Differences)), held = Rule(Minimums).Next(Start, Losses(Differences));
        Assert.Equal((0.1, 0.05), (held[1], held[3]));
        Assert.Equal(1, held.Sum(), 14);
        Near([.. new[] { 2, 4, 5, 6 }.Select(i => free[i] / free[0])], [.. new[] { 2, 4, 5, 6 }.Select(i => held[i] / held[0])], 1e-14);
    }

    [Fact]
    public void AtLeastMinimum_GivingTakesAnotherBelow_HoldsThatToo()
    {
        ReferenceLossRule rule = Rule(o => (o.MinimumShares["d0"], o.MinimumShares["d1"]) = (0.6, 0.18), 3);
        Near([0.6, 0.18, 0.22], rule.AtLeastMinimum([0.2, 0.2, 0.6]), 1e-15);   // 0.2 would become 0.1
        Near([0.6, 0.4, 0], Rule(o => (o.MinimumShares["d0"], o.MinimumShares["d1"]) = (0.6, 0.4), 3).AtLeastMinimum([0.1, 0.1, 0.8]), 1e-15);
    }

    [Fact]
    public void Next_ShareOfZero_ComesBackBySmoothingAlone()
    {
        double[] shares = [0.5, 0.5, 0];
        Near([0.5 * 0.9999, 0.5 * 0.9999, 0], [.. Rule(null, 3).Next(shares, Losses([0.2, 0.2, 5])).Select(p => p - (1e-4 / 3))], 1e-15);
        Assert.Equal(0, Rule(o => o.Smoothing = 0, 3).Next(shares, Losses([0.2, 0.2, 5]))[2]);
    }

    [Fact]
    public void Next_HugeDifferences_StayFinite()
    {
        double[] next = Rule(null, 3).Next([0.2, 0.3, 0.5], [1e300, 0, 1e299]);
        Near([1 - 1e-4 + (1e-4 / 3), 1e-4 / 3, 1e-4 / 3], next, 1e-15);
        Assert.Contains("domain 'd0' is 1", Assert.Throws<TokenDataException>(() => Rule(o => o.Eta = 1000, 3).Next([0.2, 0.3, 0.5], [1e307, 0, 0])).Message, StringComparison.Ordinal);
    }

    private static ReferenceLossRule Rule(Action<ReferenceLossOptions>? configure = null, int count = 7)
    {
        string[] names = [.. Enumerable.Range(0, count).Select(i => $"d{i}")];
        var options = new ReferenceLossOptions { Losses = names.ToDictionary(n => n, _ => 1.0) };
        configure?.Invoke(options);
        Assert.Null(options.Problem(names));
        return new ReferenceLossRule(options, names);
    }

    private static double[] Losses(double[] differences) => [.. differences.Select(d => 1 + d)];

    private static double[] Shares(Random random, int count)
    {
        double[] weights = [.. Enumerable.Range(0, count).Select(_ => Math.Pow(random.NextDouble(), 3))];
        return [.. weights.Select(w => w / weights.Sum())];
    }

    private static int[] Ranks(double[] values) => [.. Enumerable.Range(0, values.Length).OrderBy(i => values[i])];

    private static double[] Numbers(JsonNode? node) => [.. node!.AsArray().Select(v => v!.GetValue<double>())];

    private static void Near(double[] expected, double[] found, double tolerance)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance, $"[{i}]: expected {expected[i]}, found {found[i]}");
    }
}
