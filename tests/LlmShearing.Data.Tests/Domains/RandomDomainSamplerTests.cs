using System.Text.Json.Nodes;
using LlmShearing.Data.Domains;
using LlmShearing.Testing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmShearing.Data.Tests.Domains;

public class RandomDomainSamplerTests
{
    private const string Golden = "shearing/dynamic-loading/sampler.json";

    private static RandomDomainSampler Sampler(int seed = 0) =>
        new(new FixedDomainSamplerOptions { Seed = seed, Proportions = { ["a"] = 0.67, ["b"] = 0, ["c"] = 0.03, ["d"] = 0.3 } });

    // The original's draws and rows, from its uniforms: domain of every draw, and which row of it, proportion changes and wrapping included.
    [GoldenFact(Golden)]
    public void Choose_UniformsOfTheOriginal_GivesItsDomainsAndRows()
    {
        int cases = 0;
        foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(Goldens.Path(Golden)))!["cases"]!.AsArray())
        {
            int[] sizes = Numbers<int>(c!["samples_per_domain"]), offsets = Numbers<int>(c["global_id_offset_per_domain"]);
            double[] uniforms = Numbers<double>(c["uniforms"]), proportion = Numbers<double>(c["proportion"]);
            int[] domains = Numbers<int>(c["domains"]), ids = Numbers<int>(c["global_ids"]);
            int[][] orders = [.. c["order_of_each_domain"]!.AsArray().Select(o => Numbers<int>(o))];
            int? change = c["proportion_change"]?["before_draw"]?.GetValue<int>();
            int[] taken = new int[sizes.Length];
            for (int draw = 0; draw < uniforms.Length; draw++)
            {
                if (draw == change)
                    proportion = Numbers<double>(c["proportion_change"]!["proportion"]);
                int domain = DomainDraw.Choose(proportion, uniforms[draw]);
                Assert.Equal(domains[draw], domain);
                Assert.Equal(ids[draw], offsets[domain] + orders[domain][taken[domain]++ % sizes[domain]]);
            }

            cases++;
        }

        Assert.Equal(5, cases);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-3)]
    public void NextDomain_ManyDraws_ChiSquareAgrees(int seed)
    {
        RandomDomainSampler sampler = Sampler(seed);
        double[] counts = new double[4];
        for (int i = 0; i < 20_000; i++)
            counts[sampler.NextDomain()]++;
        Assert.Equal(0, counts[1]);
        double chiSquare = new[] { 0, 2, 3 }.Sum(i => Math.Pow(counts[i] - (20_000 * sampler.Proportions[i]), 2) / (20_000 * sampler.Proportions[i]));
        Assert.InRange(chiSquare, 0.002, 13.8);   // two degrees of freedom: neither too far off nor a rota
    }

    [Fact]
    public void Restore_AfterDraws_GoesOnWithTheSameChoices()
    {
        RandomDomainSampler whole = Sampler(4), first = Sampler(4), second = Sampler(4);
        int[] expected = [.. Enumerable.Range(0, 200).Select(_ => whole.NextDomain())];
        for (int i = 0; i < 77; i++)
            first.NextDomain();
        second.Restore((JsonObject)JsonNode.Parse(first.Save().ToJsonString())!);
        Assert.Equal(expected[77..], Enumerable.Range(0, 123).Select(_ => second.NextDomain()));
        Assert.NotEqual(expected, Enumerable.Range(0, 200).Select(_ => first.NextDomain()));
    }

    [Theory]
    [InlineData("draws", "-1")]
    [InlineData("draws", "\"x\"")]
    [InlineData("seed", "5")]
    [InlineData("sampler", "\"fixed\"")]
    public void Restore_DamagedState_IsRefused(string member, string value)
    {
        JsonObject state = Sampler().Save();
        state[member] = JsonNode.Parse(value);
        Assert.Contains(member, Assert.Throws<TokenDataException>(() => Sampler().Restore(state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddDomains_Random_IsOneInstancePerRun()
    {
        using ServiceProvider provider = new ServiceCollection().AddLlmShearing().AddDomains(o => o.Proportions["web"] = 1).Services.BuildServiceProvider();
        IDomainSampler first = provider.GetRequiredKeyedService<IDomainSampler>("random");
        Assert.IsType<RandomDomainSampler>(first);
        Assert.NotSame(first, provider.GetRequiredKeyedService<IDomainSampler>("random"));
    }

    private static T[] Numbers<T>(JsonNode? node) => [.. node!.AsArray().Select(n => n!.GetValue<T>())];
}
