using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Rows;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Batches;

public class DomainBatchesTests
{
    [Fact]
    public void NextBatch_OneEpochOfADomain_GivesEveryRowOnceInSeededOrder()
    {
        using DomainBatches data = DomainBatches.Of("web", TestData.Domain("web", 60, 500).Rows, new DomainBatchesOptions { BatchSize = 4, Seed = 3 });
        List<int> first = FirstIds(data, 15), second = FirstIds(data, 15);
        Assert.Equal(15, data.BatchesPerEpoch);
        Assert.Equal(Enumerable.Range(500, 60), first.Order());
        Assert.Equal(Enumerable.Range(500, 60), second.Order());
        Assert.NotEqual(first, second);
        Assert.NotEqual(first, first.Order());
        using DomainBatches other = DomainBatches.Of("web", TestData.Domain("web", 60, 500).Rows, new DomainBatchesOptions { BatchSize = 4, Seed = 4 });
        Assert.NotEqual(first, FirstIds(other, 15));
    }

    [Fact]
    public void NextBatch_WithoutShuffling_KeepsTheStoredOrder()
    {
        using DomainBatches data = DomainBatches.Of("web", TestData.Domain("web", 3).Rows, new DomainBatchesOptions { Shuffle = false });
        Assert.Equal([0, 1, 2, 0, 1], FirstIds(data, 5));
    }

    [Fact]
    public void NextBatch_Mixture_SaysWhereEveryRowComesFrom()
    {
        using DomainBatches data = TestData.Mixed();
        var starts = new Dictionary<string, int> { ["web"] = 1000, ["code"] = 2000, ["wiki"] = 3000 };
        for (int i = 0; i < 60; i++)
        {
            TrainingBatch batch = data.NextBatch()!;
            for (int r = 0; r < 3; r++)
            {
                int id = batch.Tokens.Ids[r * TestData.Length];
                int row = id - starts[batch.Domains![r]];
                Assert.InRange(row, 0, 49);
                Assert.Matches($@"{batch.Domains[r]} rows? [0-9, ]*\b{row}\b[0-9, ]* of epoch", batch.Source);
            }
        }
    }

    [Fact]
    public void NextBatch_RandomSampler_MeetsProportionsAndGivesEachRowOncePerEpoch()
    {
        using DomainBatches data = TestData.Mixed();
        var rows = new Dictionary<string, List<int>>();
        for (int i = 0; i < 1000; i++)
        {
            TrainingBatch batch = data.NextBatch()!;
            for (int r = 0; r < 3; r++)
                (rows.TryGetValue(batch.Domains![r], out List<int>? list) ? list : rows[batch.Domains[r]] = []).Add(batch.Tokens.Ids[r * TestData.Length]);
        }

        double[] due = [1500, 600, 900];
        double chiSquare = new[] { "web", "code", "wiki" }.Zip(due, (n, d) => Math.Pow(rows[n].Count - d, 2) / d).Sum();
        Assert.True(chiSquare < 13.8, $"{chiSquare}");   // 0.1 % with two degrees of freedom
        foreach (TokenDomain domain in TestData.Three())
            foreach (int[] epoch in rows[domain.Name].Chunk((int)domain.Rows.Count).SkipLast(1))
                Assert.Equal(epoch.Length, epoch.Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(40)]
    public void Restore_AtAnyPlace_GoesOnAsIfNeverLeft(int place)
    {
        using DomainBatches whole = TestData.Mixed();
        List<string> expected = TestData.Take(whole, 60);
        using DomainBatches first = TestData.Mixed(), second = TestData.Mixed();
        TestData.Take(first, place);
        second.Restore(TestData.Stored(first.Save()));
        Assert.Equal(expected[place..], TestData.Take(second, 60 - place));
    }

    [Fact]
    public void Save_AfterManyEpochs_IsSmall()
    {
        using DomainBatches data = TestData.Mixed();
        TestData.Take(data, 2000);
        Assert.True(data.Save().ToJsonString().Length < 600, data.Save().ToJsonString());
    }

    [Fact]
    public void NextBatch_PolicyStop_EndsBeforeTheBatchThatCannotBeFilledAndStaysThere()
    {
        using DomainBatches data = TestData.Mixed(ExhaustionPolicy.Stop);
        int batches = 0;
        JsonObject last = data.Save();
        while (data.NextBatch() is not null)
        {
            batches++;
            last = data.Save();
        }

        Assert.InRange(batches, 10, 29);   // code ends after 13 rows, drawn for one row in five
        Assert.Null(data.NextBatch());
        Assert.True(JsonNode.DeepEquals(last, data.Save()));
    }

    [Fact]
    public void NextBatch_PolicyError_NamesTheDomainAndKeepsThePlace()
    {
        using DomainBatches data = DomainBatches.Of("web", TestData.Domain("web", 5).Rows, new DomainBatchesOptions { BatchSize = 2, Exhaustion = ExhaustionPolicy.Error });
        TestData.Take(data, 2);
        JsonObject before = data.Save();
        TokenDataException error = Assert.Throws<TokenDataException>(() => data.NextBatch());
        Assert.Contains("Domain 'web' has given all its 5 rows", error.Message, StringComparison.Ordinal);
        Assert.True(JsonNode.DeepEquals(before, data.Save()));
    }

    [Fact]
    public void Update_AdaptiveSampler_ActsOnTheNextRow()
    {
        using DomainBatches data = TestData.Mixed(sampler: new LossFollowingSampler(TestData.Shares()));
        TestData.Take(data, 3);
        data.Update(new Dictionary<string, double> { ["wiki"] = 0, ["web"] = 0, ["code"] = 2 });
        Assert.Equal(1, data.Proportions["code"]);
        Assert.All(Enumerable.Range(0, 4), _ => Assert.All(data.NextBatch()!.Domains!, d => Assert.Equal("code", d)));
    }

    [Theory]
    [InlineData("web,code", "no loss for domain 'wiki'")]
    [InlineData("web,code,wiki,books", "'books', which is no domain")]
    public void Update_NamesThatDoNotMatch_AreErrors(string names, string message)
    {
        using DomainBatches data = TestData.Mixed(sampler: new LossFollowingSampler(TestData.Shares()));
        TokenDataException error = Assert.Throws<TokenDataException>(() => data.Update(names.Split(',').ToDictionary(n => n, _ => 1.0)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Update_FixedMixture_AnySetsMayBeEvaluated()
    {
        using DomainBatches data = TestData.Mixed();
        string before = data.Save().ToJsonString();
        data.Update(new Dictionary<string, double> { ["books"] = 1 });
        Assert.Equal(before, data.Save().ToJsonString());
    }

    [Fact]
    public void Update_LossNotFinite_NamesTheDomain()
    {
        using DomainBatches data = TestData.Mixed(sampler: new LossFollowingSampler(TestData.Shares()));
        TokenDataException error = Assert.Throws<TokenDataException>(() => data.Update(new Dictionary<string, double> { ["wiki"] = 1, ["web"] = double.NaN, ["code"] = 2 }));
        Assert.Contains("loss of domain 'web' is NaN", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_BadDomains_AreErrors()
    {
        TokenDomain[] three = TestData.Three();
        Refused([], "There is no domain");
        Refused([.. three, TestData.Domain("web", 3)], "Two domains are called 'web'");
        Refused([three[0], three[1]], "knows domain 'wiki', but there are no rows for it");
        Refused([.. three, TestData.Domain("books", 3)], "rows for domain 'books', which the sampler does not know");
        Refused([three[0], three[1], TestData.Domain("wiki", 0)], "Domain 'wiki' (wiki) has no rows");
        Refused([three[0], three[1], new TokenDomain("wiki", new MemoryTokenRows("w", [[1, 2, 3]]))], "domain 'wiki' (w) have 3 tokens, expected 4");
    }

    [Theory]
    [InlineData(0, null, null, "BatchSize is 0")]
    [InlineData(1, 1, null, "SequenceLength is 1")]
    [InlineData(1, 8, null, "have 4 tokens, expected 8")]
    [InlineData(1, 3, null, "or let longer rows be cut")]
    [InlineData(1, null, 0, "VocabularySize is 0")]
    public void Create_BadOptions_AreErrors(int batch, int? length, int? vocabulary, string message)
    {
        var options = new DomainBatchesOptions { BatchSize = batch, SequenceLength = length, VocabularySize = vocabulary };
        Assert.Contains(message, Assert.Throws<TokenDataException>(() => DomainBatches.Of("web", TestData.Domain("web", 5).Rows, options)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(double.NaN, "proportion of domain 'web' is NaN")]
    [InlineData(0.9, "add up to 0.9")]
    [InlineData(-1, "it must be 0 or more")]
    public void Create_SamplerWithBadProportions_IsRefused(double share, string message)
    {
        TokenDataException error = Assert.Throws<TokenDataException>(() => new DomainBatches([TestData.Domain("web", 5)], new OneDomain(share)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NextBatch_IdOutsideTheVocabulary_NamesDomainRowAndToken()
    {
        using DomainBatches data = DomainBatches.Of("web", new MemoryTokenRows("file.bin", [[1, 2, 99, 3]]), new DomainBatchesOptions { VocabularySize = 50 });
        Assert.Contains("Row 0, token 2 of domain 'web' (file.bin): id 99 is outside the vocabulary of 50", Assert.Throws<TokenDataException>(() => data.NextBatch()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NextBatch_RaggedRows_AreCutOrRefused()
    {
        var rows = new MemoryTokenRows("ragged", [[1, 2, 3, 4, 5], [6, 7, 8, 9]]);
        Assert.Contains("different lengths", Assert.Throws<TokenDataException>(() => DomainBatches.Of("web", rows)).Message, StringComparison.Ordinal);
        using DomainBatches cut = DomainBatches.Of("web", rows, new DomainBatchesOptions { SequenceLength = 4, CutRows = true, Shuffle = false, BatchSize = 2 });
        Assert.Equal([1, 2, 3, 4, 6, 7, 8, 9], cut.NextBatch()!.Tokens.Ids.ToArray());
        using DomainBatches strict = DomainBatches.Of("web", rows, new DomainBatchesOptions { SequenceLength = 4, Shuffle = false });
        Assert.Contains("Row 0 of domain 'web' (ragged) has 5 tokens, expected 4", Assert.Throws<TokenDataException>(() => strict.NextBatch()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Restore_StateOfOtherData_IsRefusedAndNothingChanges()
    {
        using DomainBatches data = TestData.Mixed(), otherSeed = TestData.Mixed(seed: 6);
        TestData.Take(data, 5);
        JsonObject before = data.Save();
        Assert.Contains("belongs to other data", Assert.Throws<TokenDataException>(() => data.Restore(otherSeed.Save())).Message, StringComparison.Ordinal);
        foreach ((string path, JsonNode? value) in new (string, JsonNode?)[] { ("domains", null), ("sampler", 3), ("data", "x"), ("identity", 7) })
        {
            JsonObject damaged = data.Save();
            damaged[path] = value;
            Assert.Throws<TokenDataException>(() => data.Restore(damaged));
        }

        foreach (long position in new long[] { -1, 51 })
        {
            JsonObject damaged = data.Save();
            damaged["domains"]!["web"]!["position"] = position;
            Assert.Throws<TokenDataException>(() => data.Restore(damaged));
        }

        Assert.True(JsonNode.DeepEquals(before, data.Save()));
    }

    [Fact]
    public void Describe_RowsChanged_Differs()
    {
        string Of(params int[][] rows)
        {
            using DomainBatches data = DomainBatches.Of("web", new MemoryTokenRows("r", rows));
            return data.Describe().ToJsonString();
        }

        Assert.Equal(Of([1, 2], [3, 4]), Of([1, 2], [3, 4]));
        Assert.NotEqual(Of([1, 2], [3, 4]), Of([1, 2], [3, 5]));
    }

    private static List<int> FirstIds(DomainBatches data, int batches) =>
        [.. Enumerable.Range(0, batches).SelectMany(_ => data.NextBatch()!.Tokens.Ids.ToArray().Where((_, i) => i % TestData.Length == 0))];

    private static void Refused(TokenDomain[] domains, string message) =>
        Assert.Contains(message, Assert.Throws<TokenDataException>(() => new DomainBatches(domains, new RandomDomainSampler(TestData.Shares()))).Message, StringComparison.Ordinal);

    private sealed class OneDomain(double share) : IDomainSampler
    {
        public IReadOnlyList<string> Domains { get; } = ["web"];

        public IReadOnlyList<double> Proportions { get; } = [share];

        public int NextDomain() => 0;

        public void Update(IReadOnlyList<double> losses)
        {
        }

        public JsonObject Save() => [];

        public void Restore(JsonObject state)
        {
        }
    }
}
