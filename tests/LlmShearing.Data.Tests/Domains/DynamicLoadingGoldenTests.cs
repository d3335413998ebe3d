// What LLM-Shearing's data set gives out, through our sampler and our batches. Orders of shuffled rows belong to the original's library, so they are given to the test
// as rows in that order; partitions over several ranks have no counterpart here, where one process reads.
using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Calibration;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Rows;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Domains;

public class DynamicLoadingGoldenTests
{
    private const string Loading = "shearing/dynamic-loading", Training = "shearing/train-e2e";

    public static TheoryData<string, string> Draws => GoldenCases.In(Loading, json => IsSampling(json) ? json["cases"] : null);

    public static TheoryData<string, string> Resumptions => GoldenCases.In(Loading, json => json["resumption"]);

    public static TheoryData<string, string> Statistics => GoldenCases.In(Loading, json => json["statistics"]);

    public static TheoryData<string, string> OneRank => GoldenCases.In(
        Loading, json => IsPartition(json) ? json["cases"] : null, c => c["num_physical_nodes"]!.GetValue<int>() * c["ranks_per_node"]!.GetValue<int>() == 1);

    public static TheoryData<string, string> Traces => GoldenCases.In(Training, json => json["domain_draws"] is null ? [] : ["domain_draws"]);

    [GoldenFact(Loading)]
    public void EveryFile_IsOfAKindThatIsTested() =>
        // The update rule has tests of its own.
        Assert.All(GoldenCases.Files(Loading), f => Assert.True(IsSampling(f.Json) || IsPartition(f.Json) || f.Json["sequences"] is not null, f.File + " is of no kind that a test reads"));

    // Draw by draw from the original's uniform numbers: proportion changes and domains that wrap included.
    [GoldenTheory(Loading)]
    [MemberData(nameof(Draws))]
    public void Batches_UniformsOfTheOriginal_GiveItsRows(string file, string number)
    {
        JsonNode c = GoldenCases.Read(file)["cases"].At(number);
        int[] offsets = Numbers<int>(c["global_id_offset_per_domain"]);
        double[] uniforms = Numbers<double>(c["uniforms"]), start = Numbers<double>(c["proportion"]);
        JsonNode? change = c["proportion_change"];
        using DomainBatches data = Data(c, start, uniforms);
        var ids = new List<int>();
        for (int draw = 0; draw < uniforms.Length; draw++)
        {
            // Losses that lead exactly to the new proportions: p exp(ln(q / p)) = q.
            if (change?["before_draw"]!.GetValue<int>() == draw)
                data.Update(Numbers<double>(change["proportion"]).Select((q, i) => (Name(i), 10 + Math.Log(q / start[i]))).ToDictionary());
            TrainingBatch batch = data.NextBatch()!;
            ids.Add(offsets[batch.Domains![0][1] - '0'] + batch.Tokens.Ids[1]);
        }

        Assert.NotEmpty(ids);
        Assert.Equal(Numbers<int>(c["global_ids"]), ids);
    }

    // The original takes the used rows out and keeps the order of the rest; a saved place does the same.
    [GoldenTheory(Loading)]
    [MemberData(nameof(Resumptions))]
    public void Restore_WhereTheOriginalResumed_GivesTheRemainingRows(string file, string number)
    {
        JsonNode c = GoldenCases.Read(file)["resumption"].At(number);
        int domains = c["set_names"]!.AsArray().Count;
        Assert.InRange(domains, 1, int.MaxValue);
        for (int domain = 0; domain < domains; domain++)
        {
            int[] order = Numbers<int>(c["order_from_start"]![domain]), used = Numbers<int>(c["used_positions"]![domain]);
            DomainBatches Open() => DomainBatches.Of("d0", Rows(order), new DomainBatchesOptions { Shuffle = false, Exhaustion = ExhaustionPolicy.Stop });
            using DomainBatches first = Open(), resumed = Open();
            Assert.Equal(used, used.Select(_ => first.NextBatch()!.Tokens.Ids[1]));
            resumed.Restore(first.Save());
            Assert.Equal(Numbers<int>(c["order_after_resume"]![domain]), All(resumed));
        }
    }

    // One rank: all rows in their order without those used; -1 is the original's padding.
    [GoldenTheory(Loading)]
    [MemberData(nameof(OneRank))]
    public void Batches_OneRank_GiveTheRowsOfTheOriginalsPartition(string file, string number)
    {
        JsonNode c = GoldenCases.Read(file)["cases"].At(number);
        int[] used = Numbers<int>(c["used"]);
        using DomainBatches data = DomainBatches.Of(
            "d0", Rows([.. Enumerable.Range(0, c["num_samples"]!.GetValue<int>()).Except(used)]), new DomainBatchesOptions { Shuffle = false, Exhaustion = ExhaustionPolicy.Stop });
        Assert.Equal(Numbers<int>(c["ids"]).Where(i => i >= 0), All(data));
    }

    // 20,000 draws from NumPy's legacy generator: the same counts, whose chi-square is that of a fair draw.
    [GoldenTheory(Loading)]
    [MemberData(nameof(Statistics))]
    public void NextDomain_GeneratorOfTheOriginal_GivesItsCounts(string file, string number)
    {
        JsonNode c = GoldenCases.Read(file)["statistics"].At(number);
        double[] shares = Numbers<double>(c["proportion"]);
        int[] counts = new int[shares.Length];
        var random = new NumpyRandom(c["numpy_global_seed"]!.GetValue<uint>());
        ReferenceLossSampler sampler = Sampler(shares, _ => random.NextDouble());
        for (int i = 0; i < c["draws"]!.GetValue<int>(); i++)
            counts[sampler.NextDomain()]++;
        Assert.Equal(Numbers<int>(c["counts"]), counts);
        double chiSquare = counts.Zip(Numbers<double>(c["expected"]), (n, e) => (n - e) * (n - e) / e).Sum();
        Assert.Equal(c["chi_square"]!.GetValue<double>(), chiSquare, 9);
        if (c["degrees_of_freedom"]!.GetValue<int>() == 6)
            Assert.InRange(chiSquare, 0.38, 22.5);   // 0.1% on each side
    }

    // Pruning and continued pretraining by the original's trainer: every draw, and the shares after every evaluation.
    [GoldenTheory(Training)]
    [MemberData(nameof(Traces))]
    public void Sampler_TrainingRunOfTheOriginal_FollowsItsDrawsAndShares(string file, string part)
    {
        JsonNode trace = GoldenCases.Read(file);
        JsonArray draws = trace[part]!.AsArray();
        Dictionary<long, JsonNode> evaluations = trace["evaluations"]!.AsArray().ToDictionary(e => e!["after_steps"]!.GetValue<long>(), e => e!);
        string[] names = [.. trace["domains"]!.AsArray().Select(n => n!.GetValue<string>())];
        Dictionary<string, double> ByName(JsonNode? values) => names.Zip(Numbers<double>(values)).ToDictionary(p => p.First, p => p.Second);
        var sampler = new ReferenceLossSampler(
            new FixedDomainSamplerOptions { Proportions = ByName(trace["evaluations"]![0]!["current"]) }, new ReferenceLossOptions { Losses = ByName(trace["target_loss"]) },
            draw => draws[(int)draw]!["u"]!.GetValue<double>());
        Assert.Equal(names, sampler.Domains);
        int updates = 0;
        long step = -1;
        foreach (JsonNode? draw in draws)
        {
            if (draw!["step"]!.GetValue<long>() is var next && next != step)
            {
                step = next;
                if (evaluations.TryGetValue(step, out JsonNode? evaluation))
                {
                    sampler.Update(Numbers<double>(evaluation["losses"]));
                    Assert.All(Numbers<double>(evaluation["new"]).Zip(sampler.Proportions), p => Assert.Equal(p.First, p.Second, 1e-6));
                    updates++;
                }
            }

            Assert.Equal(draw["domain"]!.GetValue<int>(), sampler.NextDomain());
        }

        Assert.True(updates > 0, "no evaluation was followed");
        Assert.Equal(evaluations.Keys.Count(after => after <= step), updates);   // that after the last step has no draw behind it
    }

    private static bool IsSampling(JsonObject json) => json["cases"] is JsonArray cases && cases.All(c => c!["uniforms"] is not null);

    private static bool IsPartition(JsonObject json) => json["cases"] is JsonArray cases && cases.All(c => c!["num_physical_nodes"] is not null && c["ids"] is not null);

    private static DomainBatches Data(JsonNode c, double[] shares, double[] uniforms)
    {
        int[] sizes = Numbers<int>(c["samples_per_domain"]);
        TokenDomain[] domains = [.. c["order_of_each_domain"]!.AsArray().Select((o, i) => new TokenDomain(Name(i), Rows([.. Numbers<int>(o).Take(sizes[i])])))];
        return new DomainBatches(domains, Sampler(shares, draw => uniforms[draw]), new DomainBatchesOptions { Shuffle = false });
    }

    private static ReferenceLossSampler Sampler(double[] shares, Func<ulong, double> uniform)
    {
        var start = new FixedDomainSamplerOptions { Proportions = shares.Select((p, i) => (Name(i), p)).ToDictionary() };
        return new ReferenceLossSampler(start, new ReferenceLossOptions { Smoothing = 0, Losses = shares.Select((_, i) => (Name(i), 10.0)).ToDictionary() }, uniform);
    }

    // Row r of a domain is [0, r].
    private static MemoryTokenRows Rows(int[] order) => new("rows", order.Select(r => new[] { 0, r }));

    private static List<int> All(DomainBatches data)
    {
        var rows = new List<int>();
        while (data.NextBatch() is { } batch)
            rows.Add(batch.Tokens.Ids[1]);
        return rows;
    }

    // Names whose order is that of the numbers.
    private static string Name(int domain) => $"d{domain}";

    private static T[] Numbers<T>(JsonNode? node) => [.. node!.AsArray().Select(v => v!.GetValue<T>())];

    // numpy.random.seed and numpy.random.random_sample.
    private sealed class NumpyRandom(uint seed)
    {
        private readonly MersenneTwister _twister = new(seed);

        public double NextDouble()
        {
            uint high = _twister.Next() >> 5, low = _twister.Next() >> 6;
            return ((high * 67108864.0) + low) / 9007199254740992.0;
        }
    }
}
