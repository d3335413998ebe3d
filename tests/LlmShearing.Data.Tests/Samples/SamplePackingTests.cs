using System.Text.Json.Nodes;
using LlmShearing.Data.Samples;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Samples;

public class SamplePackingTests
{
    private const string Trl = "eval/packing/packing.json", OldTrl = "eval/packing/completion_only.json";

    [GoldenFact(Trl)]
    public void Plan_TrlCases_AreItsRows()
    {
        foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(Goldens.Path(Trl)))!["pack_dataset"]!.AsArray())
        {
            int[] lengths = TestJson.Ints(c!["lengths"]);
            PackingStrategy strategy = (string)c["strategy"]! switch { "bfd" => PackingStrategy.BestFit, "bfd_split" => PackingStrategy.BestFitSplit, _ => PackingStrategy.Wrapped };
            TokenSample[] samples = Numbered(lengths);
            TokenSample[][] rows = Rows(samples, (int)c["seq_length"]!, strategy);
            string name = $"{c["name"]} {strategy}";
            Assert.Equal(TestJson.Rows(c["input_ids"]), rows.Select(r => r.SelectMany(s => s.Ids.ToArray()).ToArray()));
            Assert.Equal(TestJson.Rows(c["labels"]), rows.Select(r => r.SelectMany(s => s.Labels.ToArray()).ToArray()));
            if (c["seq_lengths"] is JsonNode documents)
                Assert.True(TestJson.Rows(documents).Select(r => string.Join(",", r)).SequenceEqual(rows.Select(r => string.Join(",", r.Select(s => s.Length)))), name);
        }
    }

    [GoldenFact(OldTrl)]
    public void Plan_TrlBefore020_AreItsRowsAndPositions()
    {
        foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(Goldens.Path(OldTrl)))!["pack_dataset"]!.AsArray())
        {
            bool wrapped = (string)c!["strategy"]! == "wrapped";
            TokenSample[][] rows = Rows(Numbered(TestJson.Ints(c["lengths"])), (int)c["seq_length"]!, wrapped ? PackingStrategy.Wrapped : PackingStrategy.BestFit);
            Assert.Equal(TestJson.Rows(c["input_ids"]), rows.Select(r => r.SelectMany(s => s.Ids.ToArray()).ToArray()));
            if (c["position_ids"] is JsonNode positions)
                Assert.Equal(TestJson.Rows(positions), rows.Select(r => r.SelectMany(s => Enumerable.Range(0, s.Length)).ToArray()));
        }
    }

    // Nothing is lost, nothing is there twice, no row is too long, whatever the lengths.
    [Theory]
    [InlineData(PackingStrategy.BestFit)]
    [InlineData(PackingStrategy.BestFitSplit)]
    [InlineData(PackingStrategy.Wrapped)]
    public void Plan_RandomLengths_KeepsEveryTokenOnce(PackingStrategy strategy)
    {
        var random = new Random(3);
        for (int trial = 0; trial < 50; trial++)
        {
            int[] lengths = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(0, 40))];
            int rowLength = random.Next(1, 30);
            IReadOnlyList<IReadOnlyList<PackedSegment>> rows = SamplePacking.Plan(lengths, rowLength, strategy);
            Assert.All(rows, r => Assert.InRange(r.Sum(s => s.Length), 1, rowLength));
            var tokens = rows.SelectMany(r => r).SelectMany(s => Enumerable.Range(s.Start, s.Length).Select(t => (s.Sample, t))).Order().ToList();
            var expected = lengths.SelectMany((n, i) => Enumerable.Range(0, strategy == PackingStrategy.BestFit ? Math.Min(n, rowLength) : n).Select(t => (i, t))).ToList();
            Assert.Equal(expected, tokens);
            if (strategy == PackingStrategy.Wrapped)
                Assert.All(rows.SkipLast(1), r => Assert.Equal(rowLength, r.Sum(s => s.Length)));
        }
    }

    [Fact]
    public void Plan_BadArguments_AreErrors()
    {
        Assert.Contains("Sample 1 has -2 tokens", Assert.Throws<TokenDataException>(() => SamplePacking.Plan([3, -2], 8, PackingStrategy.BestFit)).Message, StringComparison.Ordinal);
        Assert.Contains("one of BestFit, BestFitSplit, Wrapped", Assert.Throws<TokenDataException>(() => SamplePacking.Plan([3], 8, (PackingStrategy)9)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => SamplePacking.Plan([3], 0, PackingStrategy.BestFit));
    }

    // The goldens number the tokens through; every third of them and the first of each sample is not learned.
    private static TokenSample[] Numbered(int[] lengths)
    {
        int next = 0;
        return [.. lengths.Select(n =>
        {
            int first = next;
            next += n;
            return new TokenSample(
                [.. Enumerable.Range(first, n)], [.. Enumerable.Range(first, n).Select((id, i) => i % 3 == 0 ? TrainingBatch.Ignored : id)]);
        })];
    }

    private static TokenSample[][] Rows(TokenSample[] samples, int rowLength, PackingStrategy strategy) =>
        [.. SamplePacking.Plan([.. samples.Select(s => s.Length)], rowLength, strategy).Select(r => r.Select(s => samples[s.Sample].Slice(s.Start, s.Length)).ToArray())];
}
