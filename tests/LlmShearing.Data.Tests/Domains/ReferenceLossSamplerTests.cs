using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Tests.Batches;
using LlmShearing.DependencyInjection;
using LlmShearing.Training.Runs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace LlmShearing.Data.Tests.Domains;

public class ReferenceLossSamplerTests
{
    private static readonly Dictionary<string, double> Lagging = new() { ["web"] = 2, ["code"] = 2.9, ["wiki"] = 1.4 };

    [Fact]
    public void Update_LaggingDomain_ActsOnTheNextDraw()
    {
        ReferenceLossSampler sampler = Sampler(), control = Sampler();
        int[] before = Draw(sampler, 100);
        sampler.Update([40, 1, 2]);   // code, web, wiki
        Assert.Equal(before, Draw(control, 100));
        int[] after = Draw(sampler, 200);
        Assert.All(after.Take(20), d => Assert.Equal(0, d));
        Assert.NotEqual(after, Draw(control, 200));
    }

    [Fact]
    public void NextDomain_ManyDraws_ChiSquareAgreesBeforeAndAfterAnUpdate()
    {
        ReferenceLossSampler sampler = Sampler(7);
        for (int round = 0; round < 3; round++)
        {
            double[] counts = new double[3];
            foreach (int domain in Draw(sampler, 20_000))
                counts[domain]++;
            double chiSquare = counts.Zip(sampler.Proportions, (c, p) => Math.Pow(c - (20_000 * p), 2) / (20_000 * p)).Sum();
            Assert.InRange(chiSquare, 0.002, 13.8);   // two degrees of freedom
            sampler.Update([2.9, 2, 1.4]);
        }
    }

    [Fact]
    public void Constructor_DomainsInAnyOrder_AreMatchedByName()
    {
        var start = new FixedDomainSamplerOptions { Proportions = { ["z"] = 0.7, ["a"] = 0.3 } };
        var sampler = new ReferenceLossSampler(start, new ReferenceLossOptions { Losses = { ["z"] = 1, ["a"] = 3 }, MinimumShares = { ["z"] = 0.6 } });
        sampler.Update([3, 1]);
        Assert.Equal(["a", "z"], sampler.Domains);
        Assert.Equal(0.7, sampler.Proportions[1], 3);   // both are at their references
        sampler.Update([13, 1]);
        Assert.Equal(0.6, sampler.Proportions[1], 15);
    }

    [Fact]
    public void Constructor_StartBelowAMinimum_IsRaisedToIt() =>
        Assert.Equal([0.5, 0.5 * 0.5 / 0.8, 0.5 * 0.3 / 0.8], Sampler(options: o => o.MinimumShares["code"] = 0.5).Proportions, (a, b) => Math.Abs(a - b) < 1e-15);

    [Fact]
    public void Constructor_CopiesItsOptions()
    {
        (FixedDomainSamplerOptions start, ReferenceLossOptions options) = (TestData.Shares(), Rule());
        var sampler = new ReferenceLossSampler(start, options);
        options.Losses["web"] = 0;
        options.Eta = 0;
        ReferenceLossSampler control = Sampler();
        sampler.Update([3, 3, 3]);
        control.Update([3, 3, 3]);
        Assert.Equal(control.Proportions, sampler.Proportions);
    }

    [Theory]
    [InlineData("missing", "There is no reference loss for domain 'wiki'; given: code, web. Give one for each of code, web, wiki.")]
    [InlineData("none", "no reference loss for domain 'code'; given: none")]
    [InlineData("unknown", "reference loss for 'book', which is no domain of the mixture (code, web, wiki)")]
    [InlineData("nan", "reference loss of domain 'web' is NaN")]
    [InlineData("infinite", "reference loss of domain 'web' is Infinity")]
    [InlineData("negative", "reference loss of domain 'web' is -1")]
    [InlineData("eta", "Eta is -0.5; it must be from 0 to 1000.")]
    [InlineData("smoothing", "Smoothing is NaN; it must be from 0 to 1.")]
    [InlineData("change", "MaxChange is 0; it must be above 0 and at most 1")]
    [InlineData("update", "Update is 7; use one of Doremi, Bandit, Constant.")]
    [InlineData("minimum", "minimum share for 'book', which is no domain")]
    [InlineData("minimum-nan", "minimum share of domain 'web' is NaN")]
    [InlineData("minimums", "The minimum shares add up to 1.1; together they must be at most 1.")]
    public void Constructor_WrongOption_IsRefusedByName(string fault, string message)
    {
        ReferenceLossOptions options = Rule();
        switch (fault)
        {
            case "missing": options.Losses.Remove("wiki"); break;
            case "none": options.Losses.Clear(); break;
            case "unknown": options.Losses["book"] = 1; break;
            case "nan": options.Losses["web"] = double.NaN; break;
            case "infinite": options.Losses["web"] = double.PositiveInfinity; break;
            case "negative": options.Losses["web"] = -1; break;
            case "eta": options.Eta = -0.5; break;
            case "smoothing": options.Smoothing = double.NaN; break;
            case "change": options.MaxChange = 0; break;
            case "update": options.Update = (ProportionUpdate)7; break;
            case "minimum": options.MinimumShares["book"] = 0.1; break;
            case "minimum-nan": options.MinimumShares["web"] = double.NaN; break;
            default: (options.MinimumShares["web"], options.MinimumShares["code"]) = (0.6, 0.5); break;
        }

        Assert.Contains(message, Assert.Throws<TokenDataException>(() => new ReferenceLossSampler(TestData.Shares(), options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constant_NeedsNoReferences()
    {
        var sampler = new ReferenceLossSampler(TestData.Shares(), new ReferenceLossOptions { Update = ProportionUpdate.Constant });
        double[] before = [.. sampler.Proportions];
        sampler.Update([1, 2, 3]);
        Assert.Equal(before, sampler.Proportions);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Update_LossThatIsNoNumber_IsRefusedByNameAndChangesNothing(double loss)
    {
        ReferenceLossSampler sampler = Sampler();
        string before = sampler.Save().ToJsonString();
        Assert.Contains("The loss of domain 'web' is", Assert.Throws<TokenDataException>(() => sampler.Update([2, loss, 2])).Message, StringComparison.Ordinal);
        Assert.Contains("2 losses for 3 domains", Assert.Throws<TokenDataException>(() => sampler.Update([2, 2])).Message, StringComparison.Ordinal);
        Assert.Equal(before, sampler.Save().ToJsonString());
    }

    [Fact]
    public void Restore_AtAnyPoint_GoesOnAsIfUninterrupted()
    {
        ReferenceLossSampler whole = Sampler(4);
        var states = new List<JsonObject>();
        var draws = new List<int>();
        for (int i = 0; i < 120; i++)
        {
            if (i % 25 == 24)
                whole.Update([2 + (0.01 * i), 2.5, 1.9]);
            states.Add(TestData.Stored(whole.Save()));
            draws.Add(whole.NextDomain());
        }

        double[] end = [.. whole.Proportions];
        foreach (int at in new[] { 0, 1, 23, 24, 25, 77 })
        {
            ReferenceLossSampler resumed = Sampler(4);
            resumed.NextDomain();
            resumed.Update([5, 2, 2]);
            resumed.Restore(states[at]);
            for (int i = at; i < 120; i++)
            {
                if (i % 25 == 24 && i > at)
                    resumed.Update([2 + (0.01 * i), 2.5, 1.9]);
                Assert.Equal(draws[i], resumed.NextDomain());
            }

            Assert.Equal(end, resumed.Proportions);
        }
    }

    [Theory]
    [InlineData("draws", "-1", "has draws -1; expected a number of samples")]
    [InlineData("draws", null, "has draws nothing")]
    [InlineData("seed", "5", "has seed 5, this sampler has 0")]
    [InlineData("sampler", "\"random\"", "has sampler \"random\"")]
    [InlineData("domains", "[\"a\"]", "has domains [\"a\"]")]
    [InlineData("settings", "{\"eta\":2}", "has settings {\"eta\":2}")]
    [InlineData("proportions", "[0.5,0.5]", "expected 3 numbers")]
    [InlineData("proportions", "[0.5,0.6,-0.1]", "has proportion -0.1 for domain 'wiki'")]
    [InlineData("proportions", "[0.5,\"x\",0.1]", "has proportion \"x\" for domain 'web'")]
    [InlineData("proportions", "[0.5,1e400,0.1]", "for domain 'web'")]
    [InlineData("proportions", "[0.5,0.25,0.125]", "add up to 0.875")]
    public void Restore_DamagedState_IsRefusedAndChangesNothing(string member, string? json, string message)
    {
        ReferenceLossSampler sampler = Sampler();
        Draw(sampler, 10);
        sampler.Update([2.9, 2, 2]);
        string before = sampler.Save().ToJsonString();
        JsonObject state = TestData.Stored(sampler.Save());
        state[member] = json is null ? null : JsonNode.Parse(json);
        Assert.Contains(message, Assert.Throws<TokenDataException>(() => sampler.Restore(state)).Message, StringComparison.Ordinal);
        Assert.Equal(before, sampler.Save().ToJsonString());
    }

    [Fact]
    public void Batches_ResumedBehindPrefetch_GiveTheSameRowsAndProportions()
    {
        using DomainBatches plain = TestData.Mixed(sampler: Sampler());
        using var ahead = new PrefetchedData(TestData.Mixed(sampler: Sampler()), 8);
        foreach (ITrainingData data in new ITrainingData[] { plain, ahead })
        {
            for (int evaluation = 0; evaluation < 3; evaluation++)
            {
                TestData.Take(data, 7);
                data.Update(Lagging);
            }
        }

        Assert.NotEqual(TestData.Shares().Proportions["code"], ahead.Proportions!["code"], 2);
        JsonObject place = TestData.Stored(ahead.Save());
        Assert.Equal(plain.Save().ToJsonString(), place.ToJsonString());
        Assert.Equal(plain.Drawn, ahead.Drawn);
        Assert.Equal(3 * 7 * 3, ahead.Drawn!.Values.Sum());
        using var resumed = new PrefetchedData(TestData.Mixed(sampler: Sampler()), 3);
        resumed.Restore(place);
        Assert.Equal(plain.Proportions, resumed.Proportions);
        Assert.Equal(plain.Drawn, resumed.Drawn);
        List<string> expected = TestData.Take(plain, 20);
        Assert.Equal(expected, TestData.Take(ahead, 20));
        Assert.Equal(expected, TestData.Take(resumed, 20));
    }

    [Fact]
    public void Describe_OtherRule_IsOtherData()
    {
        using DomainBatches data = TestData.Mixed(sampler: Sampler()), other = TestData.Mixed(sampler: Sampler(options: o => o.Losses["wiki"] = 1.5));
        Assert.Equal(1.8, data.Describe()["settings"]!["reference_losses"]!["wiki"]!.GetValue<double>());
        Assert.Contains("belongs to other data", Assert.Throws<TokenDataException>(() => other.Restore(data.Save())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddDomains_Configuration_MakesTheSampler()
    {
        using IHost host = Host(new()
        {
            ["Domains:Proportions:web"] = "0.75", ["Domains:Proportions:code"] = "0.25", ["Domains:Seed"] = "3", ["Domains:ReferenceLoss:Losses:web"] = "2",
            ["Domains:ReferenceLoss:Losses:code"] = "1.5", ["Domains:ReferenceLoss:Update"] = "bandit", ["Domains:ReferenceLoss:ClipDifferences"] = "true",
            ["Domains:ReferenceLoss:MinimumShares:code"] = "0.3",
        });
        host.Start();
        var catalog = host.Services.GetRequiredService<IComponentCatalog<IDomainSampler>>();
        IDomainSampler first = catalog.Resolve("reference-loss");

        Assert.NotSame(first, catalog.Resolve("reference-loss"));
        Assert.Equal([0.3, 0.7], first.Proportions, (a, b) => Math.Abs(a - b) < 1e-15);
        Assert.Equal("""{"update":"bandit","eta":1,"smoothing":0.0001,"clip_differences":true,"max_change":null,"reference_losses":{"code":1.5,"web":2},"minimum_shares":{"code":0.3,"web":0}}""", first.Describe()!.ToJsonString());
        Assert.Equal(3, first.Save()["seed"]!.GetValue<int>());
    }

    [Fact]
    public void AddDomains_WithoutReferenceLosses_StartsAndRefusesTheSamplerAlone()
    {
        using IHost host = Host(new() { ["Domains:Proportions:web"] = "1" });
        host.Start();
        var catalog = host.Services.GetRequiredService<IComponentCatalog<IDomainSampler>>();
        Assert.Equal(["web"], catalog.Resolve("random").Domains);
        Assert.Contains("no reference loss for domain 'web'", Assert.ThrowsAny<Exception>(() => catalog.Resolve("reference-loss")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Losses:book", "1", "which is no domain of the mixture")]
    [InlineData("Losses:web", "-2", "reference loss of domain 'web' is -2")]
    [InlineData("Etta", "1", "Etta")]
    [InlineData("Update", "doremo", "doremo")]
    public void AddDomains_WrongRule_StopsTheHost(string key, string value, string message)
    {
        using IHost host = Host(new(StringComparer.Ordinal) { ["Domains:Proportions:web"] = "1", ["Domains:ReferenceLoss:Losses:web"] = "1", ["Domains:ReferenceLoss:" + key] = value });

        Assert.Contains(message, Assert.ThrowsAny<Exception>(host.Start).ToString(), StringComparison.Ordinal);
    }

    private static ReferenceLossOptions Rule() => new() { Losses = { ["web"] = 1.9, ["code"] = 1.9, ["wiki"] = 1.8 } };

    private static ReferenceLossSampler Sampler(int seed = 0, Action<ReferenceLossOptions>? options = null)
    {
        ReferenceLossOptions rule = Rule();
        options?.Invoke(rule);
        return new ReferenceLossSampler(TestData.Shares(seed), rule);
    }

    private static int[] Draw(ReferenceLossSampler sampler, int count) => [.. Enumerable.Range(0, count).Select(_ => sampler.NextDomain())];

    private static IHost Host(Dictionary<string, string?> settings)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddLlmShearing().AddDomains(builder.Configuration.GetSection("Domains"));
        return builder.Build();
    }
}
