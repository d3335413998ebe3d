using System.Text.Json.Nodes;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Samples;
using LlmShearing.Data.Tests.Batches;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Instructions;

public class InstructionBatchesTests
{
    // Sample i has 3 + i % 7 tokens 100 + i, of which the first two are not learned.
    private static readonly TokenSample[] Samples = [.. Enumerable.Range(0, 23).Select(i =>
        new TokenSample([.. Enumerable.Repeat(100 + i, 3 + (i % 7))], [.. Enumerable.Range(0, 3 + (i % 7)).Select(t => t < 2 ? TrainingBatch.Ignored : 100 + i)], $"record {i}"))];

    [Fact]
    public void NextBatch_Epochs_GiveEverySampleOncePaddedToAMultiple()
    {
        using InstructionBatches data = Create(o => o with { BatchSize = 4, Epochs = 2 });
        Assert.Equal(6, data.BatchesPerEpoch);
        var orders = new List<List<int>>();
        for (int epoch = 0; epoch < 2; epoch++)
        {
            var order = new List<int>();
            for (int b = 0; b < 6; b++)
            {
                TrainingBatch batch = data.NextBatch()!;
                Assert.Equal(b < 5 ? 4 : 3, batch.Tokens.BatchSize);
                Assert.Equal(0, batch.Tokens.SequenceLength % 8);
                for (int r = 0; r < batch.Tokens.BatchSize; r++)
                {
                    int id = Enumerable.Range(0, batch.Tokens.SequenceLength).Where(t => batch.Tokens.IsReal(r, t)).Select(t => batch.Tokens.Ids[(r * batch.Tokens.SequenceLength) + t]).Distinct().Single();
                    Assert.Contains($"record {id - 100}", batch.Source, StringComparison.Ordinal);
                    order.Add(id - 100);
                }
            }

            Assert.Equal(Enumerable.Range(0, 23), order.Order());
            orders.Add(order);
        }

        Assert.NotEqual(orders[0], orders[1]);
        Assert.NotEqual(orders[0], orders[0].Order());
        Assert.Null(data.NextBatch());
        Assert.Null(data.NextBatch());
    }

    [Theory]
    [InlineData(null)]
    [InlineData(PackingStrategy.BestFit)]
    [InlineData(PackingStrategy.BestFitSplit)]
    [InlineData(PackingStrategy.Wrapped)]
    public void Restore_AtAnyPlace_GoesOnAsIfNeverLeft(PackingStrategy? packing)
    {
        InstructionBatches New() => Create(o => o with { BatchSize = 2, Packing = packing, RowLength = 8, Epochs = 3 });
        using InstructionBatches whole = New();
        List<string> expected = TestData.Take(whole, 40);
        for (int place = 0; place < 40; place += 3)
        {
            using InstructionBatches first = New(), second = New();
            TestData.Take(first, place);
            TestData.Take(second, 5);
            second.Restore(TestData.Stored(first.Save()));
            Assert.Equal(expected[place..], TestData.Take(second, 40 - place));
        }
    }

    [Fact]
    public void NextBatch_Packed_LearnsWhatSingleSamplesLearn()
    {
        using InstructionBatches packed = Create(o => o with { Packing = PackingStrategy.BestFit, RowLength = 16, Epochs = 1 });
        using InstructionBatches single = Create(o => o with { Epochs = 1 });
        Assert.True(packed.Rows < 15, $"{packed.Rows} rows");
        Assert.Equal(Targets(single).Order(), Targets(packed).Order());
    }

    [Fact]
    public void NextBatch_WithoutShuffling_KeepsTheOrderOfTheSamples()
    {
        using InstructionBatches data = Create(o => o with { Shuffle = false });
        Assert.Equal([100, 101, 102], Enumerable.Range(0, 3).Select(_ => data.NextBatch()!.Tokens.Ids[0]));
    }

    [Fact]
    public void Restore_OtherDataOrDamagedState_IsRefused()
    {
        using InstructionBatches data = Create(o => o with { BatchSize = 2 }), other = Create(o => o with { BatchSize = 3 });
        TestData.Take(data, 3);
        JsonObject before = data.Save();
        Assert.Contains("belongs to other data", Assert.Throws<TokenDataException>(() => data.Restore(other.Save())).Message, StringComparison.Ordinal);
        foreach (JsonNode? bad in new JsonNode?[] { -1, 24, "x", null })
        {
            JsonObject state = data.Save();
            state["position"] = bad;
            Assert.Contains("position", Assert.Throws<TokenDataException>(() => data.Restore(state)).Message, StringComparison.Ordinal);
        }

        Assert.True(JsonNode.DeepEquals(before, data.Save()));
    }

    [Fact]
    public void Create_BadInput_IsRefused()
    {
        Assert.Contains("There is no sample", Refused([], o => o), StringComparison.Ordinal);
        Assert.Contains("Sample 1 (record x) has no token to learn", Refused([Samples[0], new TokenSample([1, 2], [1, -100], "record x")], o => o), StringComparison.Ordinal);
        Assert.Contains("BatchSize is 0", Refused(Samples, o => o with { BatchSize = 0 }), StringComparison.Ordinal);
        Assert.Contains("RowLength is 1", Refused(Samples, o => o with { Packing = PackingStrategy.BestFit, RowLength = 1 }), StringComparison.Ordinal);
        Assert.Contains("Epochs is 0", Refused(Samples, o => o with { Epochs = 0 }), StringComparison.Ordinal);
        Assert.Contains("No packed row of 2 tokens", Refused(Samples[..1], o => o with { Packing = PackingStrategy.BestFit, RowLength = 2 }), StringComparison.Ordinal);
    }

    private static List<long> Targets(InstructionBatches data)
    {
        var all = new List<long>();
        while (data.NextBatch() is { } batch)
            all.AddRange(batch.Scored().Targets);
        return all;
    }

    private static string Refused(TokenSample[] samples, Func<InstructionBatchesOptions, InstructionBatchesOptions> with) =>
        Assert.Throws<TokenDataException>(() => new InstructionBatches(samples, with(new() { Collator = new() { PadId = 0 } }))).Message;

    private static InstructionBatches Create(Func<InstructionBatchesOptions, InstructionBatchesOptions> with) =>
        new(Samples, with(new() { Collator = new() { PadId = 0, MultipleOf = 8 }, Seed = 3 }));
}
