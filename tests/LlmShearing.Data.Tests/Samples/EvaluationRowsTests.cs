using LlmShearing.Data.Batches;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Samples;
using LlmShearing.Data.Tests.Batches;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Samples;

public class EvaluationRowsTests
{
    [Fact]
    public void Batches_FirstRows_ComeInOrderAndAgain()
    {
        IEnumerable<TrainingBatch> batches = EvaluationRows.Batches(TestData.Domain("web", 10, 50), batchSize: 4, rows: 6);
        for (int pass = 0; pass < 2; pass++)
        {
            Assert.Equal(["web rows 0-3", "web rows 4-5"], batches.Select(b => b.Source));
            Assert.Equal([50, 51, 52, 53, 54, 55], batches.SelectMany(b => b.Tokens.Ids.ToArray().Where((_, i) => i % TestData.Length == 0)));
        }

        Assert.All(batches.First().Domains!, d => Assert.Equal("web", d));
        Assert.Equal(10, EvaluationRows.Batches(TestData.Domain("web", 10), 3).Sum(b => b.Tokens.BatchSize));
    }

    [Fact]
    public void Batches_RaggedRows_AreNotPadded()
    {
        var rows = new TokenDomain("d", new MemoryTokenRows("d", [[1, 2], [3, 4], [5, 6, 7], [8, 9]]));
        Assert.Equal([2, 1, 1], EvaluationRows.Batches(rows, 3).Select(b => b.Tokens.BatchSize));
        Assert.All(EvaluationRows.Batches(rows, 3), b => Assert.False(b.Tokens.HasPadding));
    }

    [Fact]
    public void Batches_MoreRowsThanThereAre_IsAnError()
    {
        Assert.Contains("'web' (web) has 3 rows, but 4 are asked for", Assert.Throws<TokenDataException>(() => EvaluationRows.Batches(TestData.Domain("web", 3), 1, 4)).Message, StringComparison.Ordinal);
        Assert.Throws<TokenDataException>(() => EvaluationRows.Batches(TestData.Domain("web", 0)));
        Assert.Contains("has 1 tokens", Assert.Throws<TokenDataException>(() => EvaluationRows.Batches(new TokenDomain("d", new MemoryTokenRows("d", [[1]]))).ToList()).Message, StringComparison.Ordinal);
    }
}
