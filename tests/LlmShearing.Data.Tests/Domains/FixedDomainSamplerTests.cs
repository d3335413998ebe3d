using System.Text.Json.Nodes;
using LlmShearing.Data.Domains;
using LlmShearing.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmShearing.Data.Tests.Domains;

public class FixedDomainSamplerTests
{
    // Shares of the seven RedPajama domains, as published for LLM-Shearing's pruning stage.
    private static readonly Dictionary<string, double> RedPajama = new()
    {
        ["cc"] = 0.67, ["github"] = 0.045, ["book"] = 0.045, ["stackexchange"] = 0.02, ["wiki"] = 0.045, ["arxiv"] = 0.025, ["c4-rp"] = 0.15,
    };

    private static FixedDomainSampler Sampler(int seed = 0, Dictionary<string, double>? shares = null) => new(new FixedDomainSamplerOptions { Proportions = shares ?? RedPajama, Seed = seed });

    [Fact]
    public void Domains_AnyOrderOfOptions_AreOrderedByNameAndSumToOne()
    {
        FixedDomainSampler sampler = Sampler();

        Assert.Equal(["arxiv", "book", "c4-rp", "cc", "github", "stackexchange", "wiki"], sampler.Domains);
        Assert.Equal(1, sampler.Proportions.Sum(), 15);
        Assert.Equal(0.67, sampler.Proportions[3], 15);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-5)]
    public void NextDomain_AtAnyTime_CountsAreCloseToTheirDue(int seed)
    {
        FixedDomainSampler sampler = Sampler(seed);
        int[] counts = new int[7];
        for (int n = 1; n <= 20_000; n++)
        {
            counts[sampler.NextDomain()]++;
            for (int i = 0; i < 7; i++)
                Assert.InRange(counts[i] - (n * sampler.Proportions[i]), -2.5, 2.5);
        }
    }

    [Fact]
    public void NextDomain_RandomShares_CountsStayWithinTheNumberOfDomains()
    {
        var random = new Random(1);
        for (int trial = 0; trial < 30; trial++)
        {
            double[] weights = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => Math.Pow(random.NextDouble(), 4))];
            FixedDomainSampler sampler = Sampler(trial, weights.Select((w, i) => ($"d{i:00}", w / weights.Sum())).ToDictionary());
            int[] counts = new int[weights.Length];
            for (int n = 1; n <= 3000; n++)
                counts[sampler.NextDomain()]++;
            for (int i = 0; i < counts.Length; i++)
                Assert.InRange(counts[i] - (3000 * sampler.Proportions[i]), -(1.0 + weights.Length), 1.0 + weights.Length);
        }
    }

    [Fact]
    public void NextDomain_SameSeed_SameChoices_OtherSeed_OtherOrder()
    {
        Assert.Equal(Draw(Sampler(3), 500), Draw(Sampler(3), 500));
        Assert.NotEqual(Draw(Sampler(3), 500), Draw(Sampler(4), 500));
    }

    [Fact]
    public void NextDomain_ZeroShare_IsNeverChosen()
    {
        FixedDomainSampler sampler = Sampler(shares: new() { ["a"] = 0, ["b"] = 1 });

        Assert.All(Draw(sampler, 50), d => Assert.Equal(1, d));
    }

    [Fact]
    public void Restore_AtAnyPoint_GoesOnAsIfUninterrupted()
    {
        for (int at = 0; at < 60; at += 7)
        {
            FixedDomainSampler straight = Sampler(9), first = Sampler(9), resumed = Sampler(9);
            Draw(straight, at);
            Draw(first, at);
            resumed.NextDomain();

            resumed.Restore(JsonNode.Parse(first.Save().ToJsonString())!.AsObject());

            Assert.Equal(Draw(straight, 200), Draw(resumed, 200));
        }
    }

    [Fact]
    public void Restore_OtherOptionsOrDamage_IsRefusedAndChangesNothing()
    {
        FixedDomainSampler sampler = Sampler(), control = Sampler();
        Draw(sampler, 10);
        Draw(control, 10);

        Refused(Sampler(1).Save(), "has seed 1, this sampler has 0");
        Refused(Sampler(shares: new() { ["a"] = 1 }).Save(), "has domains [\"a\"]");
        Refused([], "has sampler nothing");
        Spoil(s => s["counts"] = 5, "has counts 5; expected 7 numbers");
        Spoil(s => s["counts"]![2] = -1, "has count -1 for domain 'c4-rp'");
        Spoil(s => s["counts"]![2] = "x", "has count \"x\"");
        Spoil(s => s["counts"]![2] = long.MaxValue, "more samples than any training run");
        Spoil(s => s["proportions"]![0] = 0.5, "has proportions [0.5,");
        Assert.Equal(Draw(control, 50), Draw(sampler, 50));

        void Spoil(Action<JsonObject> spoil, string text)
        {
            JsonObject state = sampler.Save();
            spoil(state);
            Refused(state, text);
        }

        void Refused(JsonObject state, string text) =>
            Assert.Contains(text, Assert.Throws<TokenDataException>(() => sampler.Restore(state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Update_Losses_AreCheckedAndProportionsStay()
    {
        FixedDomainSampler sampler = Sampler();
        double[] before = [.. sampler.Proportions];
        sampler.Update([1, 2, 3, 4, 5, 6, 7]);

        Assert.Equal(before, sampler.Proportions);
        Assert.Contains("There are 2 losses for 7 domains", Assert.Throws<TokenDataException>(() => sampler.Update([1, 2])).Message, StringComparison.Ordinal);
        Assert.Contains("domain 'book' is NaN", Assert.Throws<TokenDataException>(() => sampler.Update([1, double.NaN, 3, 4, 5, 6, 7])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_BadShares_NamesTheFault()
    {
        Refused([], "names no domain");
        Refused(new() { ["a"] = 0.5, ["b"] = 0.4 }, "The proportions of a, b add up to 0.9; they must add up to 1.");
        Refused(new() { ["a"] = 1.5, ["b"] = -0.5 }, "domain 'b' is -0.5");
        Refused(new() { ["a"] = double.NaN }, "domain 'a' is NaN");
        Refused(new() { [" "] = 1 }, "has no name");

        static void Refused(Dictionary<string, double> shares, string text) =>
            Assert.Contains(text, Assert.Throws<TokenDataException>(() => Sampler(shares: shares)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddDomains_Configuration_GivesEachRunItsOwnSampler()
    {
        using IHost host = Host(new() { ["Domains:Proportions:web"] = "0.75", ["Domains:Proportions:code"] = "0.25" });
        host.Start();
        var catalog = host.Services.GetRequiredService<IComponentCatalog<IDomainSampler>>();
        IDomainSampler first = catalog.Resolve("fixed");

        Assert.Equal(["code", "web"], first.Domains);
        Assert.NotSame(first, catalog.Resolve("fixed"));
        Assert.Equal("No domain sampler is registered as 'fxed'. Did you mean 'fixed'? Registered: fixed, random, reference-loss.", Assert.Throws<UnknownComponentException>(() => catalog.Resolve("fxed")).Message);
    }

    [Theory]
    [InlineData("Domains:Proportions:web", "0.7", "The proportions of web add up to 0.7; they must add up to 1.")]
    [InlineData("Domains:Proportion:web", "1", "Proportion")]
    public void AddDomains_WrongConfiguration_StopsTheHost(string key, string value, string message)
    {
        using IHost host = Host(new() { [key] = value });

        Assert.Contains(message, Assert.ThrowsAny<Exception>(host.Start).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AddDomains_SecondSection_IsRefused()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Domains:Proportions:web", "1"), new("Other:Proportions:books", "1")]).Build();
        LlmShearingBuilder builder = new ServiceCollection().AddLlmShearing().AddDomains(configuration.GetSection("Domains")).AddDomains(configuration.GetSection("Domains"));

        Assert.Contains("would be mixed with the section 'Other'", Assert.Throws<InvalidOperationException>(() => builder.AddDomains(configuration.GetSection("Other"))).Message, StringComparison.Ordinal);
    }

    private static IHost Host(Dictionary<string, string?> settings)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddLlmShearing().AddDomains(builder.Configuration.GetSection("Domains"));
        return builder.Build();
    }

    private static int[] Draw(FixedDomainSampler sampler, int count) => [.. Enumerable.Range(0, count).Select(_ => sampler.NextDomain())];
}
