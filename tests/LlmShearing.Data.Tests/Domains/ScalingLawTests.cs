using System.Text.Json.Nodes;
using LlmShearing.Data.Domains;
using LlmShearing.Testing;
using Xunit;

namespace LlmShearing.Data.Tests.Domains;

public class ScalingLawTests
{
    private const string Golden = "shearing/scaling-law/fits.json";

    // LLaMA-2's losses at 7B, 13B and 70B by domain, and the targets published with LLM-Shearing for 370M, 1.3B and 2.7B.
    [Theory]
    [InlineData("cc", 1.7520, 1.6680, 1.4621, 2.1401, 1.9643, 1.8712)]
    [InlineData("github", 0.6216, 0.5791, 0.4890, 0.8694, 0.7459, 0.6883)]
    [InlineData("book", 1.9063, 1.8242, 1.6450, 2.3625, 2.1393, 2.0325)]
    [InlineData("stackexchange", 1.4482, 1.3936, 1.2805, 1.7791, 1.6117, 1.5353)]
    [InlineData("wiki", 1.4844, 1.3945, 1.2118, 2.0470, 1.7590, 1.6297)]
    [InlineData("arxiv", 1.2637, 1.2109, 1.1148, 1.6637, 1.4449, 1.3560)]
    [InlineData("c4", 1.9219, 1.8486, 1.6848, 2.3139, 2.1251, 2.0328)]
    public void Fit_LlamaTwo_GivesThePublishedTargets(string domain, double loss7, double loss13, double loss70, double at370M, double at1B, double at3B)
    {
        ScalingLaw law = ScalingLaw.Fit([new(68976648192, loss70), new(6738415616, loss7), new(13015864320, loss13)]).Law;
        Assert.Equal((domain, at370M, at1B, at3B), (domain, Math.Round(law.LossAt(373867520), 4), Math.Round(law.LossAt(1345423360), 4), Math.Round(law.LossAt(2701560320), 4)));
    }

    [GoldenFact(Golden)]
    public void Fit_CasesOfTheOriginal_PredictsTheSame()
    {
        int cases = 0;
        foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(Goldens.Path(Golden)))!["cases"]!.AsArray())
        {
            double[] sizes = Numbers(c!["model_sizes"]), losses = Numbers(c["losses"]), targets = Numbers(c["target_sizes"]), predicted = Numbers(c["predicted"]);
            ScalingLawFit fit = ScalingLaw.Fit(sizes.Zip(losses, (n, l) => new ScalingLawPoint(n, l)));
            for (int i = 0; i < targets.Length; i++)
                Near(predicted[i], fit.Law.LossAt(targets[i]), sizes.Length == 3 ? 1e-8 : 1e-5, $"{c["name"]} at {targets[i]}");
            double theirs = c["sum_squared_residuals"]!.GetValue<double>();
            Assert.True(fit.SquaredError <= (theirs * (1 + 1e-6)) + 1e-24, $"{c["name"]}: {fit.SquaredError} against {theirs}");
            cases++;
        }

        Assert.Equal(10, cases);
    }

    [Fact]
    public void Fit_PointsOfALaw_FindsTheLaw()
    {
        var random = new Random(1);
        for (int trial = 0; trial < 200; trial++)
        {
            var law = new ScalingLaw(Math.Pow(10, 1 + (2 * random.NextDouble())), 0.1 + (0.5 * random.NextDouble()), 2 * random.NextDouble());
            double[] sizes = [.. Enumerable.Range(0, 3 + (trial % 4)).Select(i => 1e8 * Math.Pow(3, i + (0.5 * random.NextDouble())))];
            ScalingLaw found = ScalingLaw.Fit(sizes.Select(n => new ScalingLawPoint(n, law.LossAt(n))).Reverse()).Law;
            Near(law.B, found.B, 1e-6, $"exponent, trial {trial}");
            Near(law.LossAt(3e7), found.LossAt(3e7), 1e-7, $"prediction, trial {trial}");
        }
    }

    [Fact]
    public void Sensitivity_IsTheWorstChangeOfThePrediction()
    {
        double[] sizes = [4e8, 1e9, 3e9, 7e9, 13e9], losses = [1.92, 1.735, 1.565, 1.454, 1.377];
        foreach (int count in new[] { 3, 5 })
        {
            double Predict(int moved, double by) => ScalingLaw.Fit(sizes.Take(count).Select((n, i) => new ScalingLawPoint(n, losses[i] + (i == moved ? by : 0)))).Law.LossAt(1e8);
            double expected = Enumerable.Range(0, count).Sum(i => Math.Abs(Predict(i, 1e-6) - Predict(i, -1e-6)) / 2e-6);
            double found = ScalingLaw.Fit(sizes.Take(count).Select((n, i) => new ScalingLawPoint(n, losses[i]))).Sensitivity(1e8);
            // The derivatives leave out the curvature of the law times its deviations, which is exact for three points.
            Near(1, found / expected, count == 3 ? 1e-4 : 0.1, $"{count} points: {found} against {expected}");
        }

        ScalingLawFit exact = ScalingLaw.Fit([new(1e9, 2), new(2e9, 1.8), new(4e9, 1.7)]);
        Near(1, exact.Sensitivity(2e9), 1e-9, "at a measured size the prediction moves with that loss alone");
    }

    [Fact]
    public void Warnings_SayWhatMakesAPredictionUncertain()
    {
        ScalingLawFit flat = ScalingLaw.Fit([new(6738415616, 1.7520), new(13015864320, 1.6680), new(68976648192, 1.4621)]);
        Assert.Contains(flat.Warnings(2.7e9), w => w.Contains("falls below 0", StringComparison.Ordinal));
        Assert.Contains(flat.Warnings(1e8), w => w.Contains("67.4 times outside", StringComparison.Ordinal));
        ScalingLawFit good = ScalingLaw.Fit([new(1e9, 2), new(2e9, 1.8), new(4e9, 1.7)]);
        Assert.Empty(good.Warnings(1e9));
        Assert.Contains(good.Warnings(1e8), w => w.StartsWith("an error of 0.001 in the measured losses", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("1e9 2, 2e9 1.9", "at least 3 model sizes, there are 2")]
    [InlineData("1e9 2, 2e9 1.9, 1e9 1.8", "The sizes 1000000000 and 1000000000 are equal")]
    [InlineData("0 2, 2e9 1.9, 3e9 1.8", "A model size is 0")]
    [InlineData("1e9 2, 2e9 NaN, 3e9 1.8", "loss measured at 2000000000 parameters is NaN")]
    [InlineData("1e9 2, 2e9 -1, 3e9 1.8", "parameters is -1")]
    [InlineData("1e9 2, 2e9 1.8, 3e9 1.9", "do not fall with the size of the model (2 at 1000000000, 1.8 at 2000000000, 1.9 at 3000000000)")]
    [InlineData("1e9 2, 2e9 2, 3e9 2", "do not fall")]
    [InlineData("1e9 2, 2e9 1.9, 4e9 1.7", "do not flatten")]
    [InlineData("1e9 2, 2e9 1.9, 4e9 1.8", "do not flatten")]
    [InlineData("1e9 2, 2e9 1.9, 4e9 1.7, 8e9 1.3", "do not flatten")]
    [InlineData("1e9 2, 2e9 2.1, 4e9 2.2, 8e9 2.25", "do not fall")]
    [InlineData("1e9 2, 2e9 1, 4e9 1, 8e9 1", "a step, not a law")]
    [InlineData("1e9 2, 2e9 1, 4e9 0.9999999999999999", "a step, not a law")]
    public void Fit_WithoutALaw_SaysWhy(string points, string message)
    {
        ScalingLawPoint[] parsed = [.. points.Split(", ").Select(p => p.Split(' ')).Select(p => new ScalingLawPoint(double.Parse(p[0]), double.Parse(p[1])))];
        Assert.Contains(message, Assert.Throws<ReferenceLossException>(() => ScalingLaw.Fit(parsed)).Message, StringComparison.Ordinal);
    }

    private static void Near(double expected, double found, double tolerance, string what) =>
        Assert.True(Math.Abs(expected - found) <= tolerance, $"{what}: expected {expected}, found {found}");

    private static double[] Numbers(JsonNode? node) => [.. node!.AsArray().Select(v => v!.GetValue<double>())];
}
