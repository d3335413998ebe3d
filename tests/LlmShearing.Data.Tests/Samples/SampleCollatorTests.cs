using System.Text.Json.Nodes;
using LlmShearing.Data.Samples;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Samples;

public class SampleCollatorTests
{
    private const string Trl = "eval/packing/packing.json", Lora = "eval/packing/alpaca_lora.json";

    [GoldenFact(Trl)]
    public void Collate_TrlCases_AreItsBatches()
    {
        int cases = 0;
        foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(Goldens.Path(Trl)))!["collator"]!.AsArray())
        {
            JsonNode result = c!["result"]!, settings = c["options"]!;
            TokenSample[][] rows = [.. c["examples"]!.AsArray().Select(e => Documents(e!))];
            bool flat = settings["padding_free"] is not null, positions = flat || settings["return_position_ids"] is not null;
            var options = new CollatorOptions { PadId = (int)c["pad_token_id"]!, MultipleOf = (int?)settings["pad_to_multiple_of"] ?? 1 };
            TrainingBatch batch = !positions ? SampleCollator.Padded([.. rows.Select(r => r[0])], options) : SampleCollator.Packed(flat ? [[.. rows.SelectMany(r => r)]] : rows, options);
            int width = batch.Tokens.SequenceLength;
            Assert.Equal(TestJson.Rows(result["input_ids"]), TestJson.Rows(batch.Tokens.Ids, width));
            if (positions)
                Assert.Equal(TestJson.Rows(result["position_ids"]).SelectMany(r => r).Select(p => (long)p), batch.Positions.ToArray());
            else
                Assert.Equal(TestJson.Rows(result["attention_mask"]).SelectMany(r => r).Select(m => m == 1), Enumerable.Range(0, batch.Tokens.Ids.Length).Select(i => batch.Tokens.IsReal(i / width, i % width)));

            // Rows with positions and a mask keep the label that begins a document; it is predicted by nothing either way.
            if (flat || !positions)
                Assert.Equal(TestJson.Rows(result["labels"]), TestJson.Rows(batch.Labels, width));
            cases++;
        }

        Assert.Equal(6, cases);
    }

    [GoldenFact(Trl)]
    public void Packed_TransformersFlattening_IsItsBatch()
    {
        JsonNode c = JsonNode.Parse(File.ReadAllText(Goldens.Path(Trl)))!["transformers_flattening"]![0]!;
        TrainingBatch batch = SampleCollator.Packed([[.. c["examples"]!.AsArray().SelectMany(e => Documents(e!))]], new CollatorOptions { PadId = 0 });
        Assert.Equal(TestJson.Rows(c["result"]!["input_ids"])[0], batch.Tokens.Ids.ToArray());
        Assert.Equal(TestJson.Rows(c["result"]!["labels"])[0], batch.Labels.ToArray());
        Assert.Equal(TestJson.Rows(c["result"]!["position_ids"])[0].Select(p => (long)p), batch.Positions.ToArray());
    }

    [GoldenFact(Lora)]
    public void Padded_LeftToAMultipleOf8_IsTransformersBatch()
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path(Lora)))!;
        TokenSample[] samples = [.. golden["rows"]![0]!["examples"]!.AsArray().Take(4).Select(e =>
        {
            int[] ids = TestJson.Ints(e!["input_ids"]);
            return new TokenSample(ids, ids.Select((id, i) => i < (int)e["first_unmasked"]! ? TrainingBatch.Ignored : id).ToArray());
        })];
        TrainingBatch batch = SampleCollator.Padded(samples, new CollatorOptions { PadId = 0, Side = PaddingSide.Left, MultipleOf = 8 });
        JsonNode expected = golden["collated_first_four"]!;
        Assert.Equal(TestJson.Rows(expected["input_ids"]), TestJson.Rows(batch.Tokens.Ids, batch.Tokens.SequenceLength));
        Assert.Equal(TestJson.Rows(expected["labels"]), TestJson.Rows(batch.Labels, batch.Tokens.SequenceLength));
        Assert.Equal(TestJson.Rows(expected["attention_mask"]).SelectMany(r => r), batch.Tokens.AttentionMask.ToArray().Select(m => m ? 1 : 0));
    }

    [Fact]
    public void Packed_Documents_AreScoredWithinThemselvesOnly()
    {
        TrainingBatch batch = SampleCollator.Packed([[new TokenSample([5, 6, 7]), new TokenSample([8, 9])], [new TokenSample([3, 4])]], new CollatorOptions { PadId = 1 });
        (long[] positions, long[] targets) = batch.Scored();
        Assert.Equal([0L, 1, 3, 5], positions);
        Assert.Equal([6L, 7, 9, 4], targets);
        Assert.True(batch.IsPacked);
    }

    [Fact]
    public void Packed_AttendAcrossDocuments_HasNoPositionsAndScoresAcross()
    {
        var options = new CollatorOptions { PadId = 1, AttendAcrossDocuments = true };
        TrainingBatch batch = SampleCollator.Packed([[new TokenSample([5, 6, 7]), new TokenSample([8, 9])], [new TokenSample([3, 4])]], options);
        Assert.False(batch.IsPacked);
        Assert.Equal([6L, 7, 8, 9, 4], batch.Scored().Targets);
        Assert.True(batch.Tokens.HasPadding);
    }

    [Fact]
    public void Collate_BadInput_IsRefused()
    {
        var options = new CollatorOptions { PadId = 0 };
        Assert.Throws<TokenDataException>(() => SampleCollator.Padded([], options));
        Assert.Contains("Row 1", Assert.Throws<TokenDataException>(() => SampleCollator.Padded([new TokenSample([1]), new TokenSample([])], options)).Message, StringComparison.Ordinal);
        Assert.Throws<TokenDataException>(() => SampleCollator.Padded([new TokenSample([1])], options with { MultipleOf = 0 }));
        Assert.Throws<TokenDataException>(() => SampleCollator.Padded([new TokenSample([1])], options with { PadId = -1 }));
        Assert.Contains("2 labels for 1 ids", Assert.Throws<TokenDataException>(() => new TokenSample([1], [1, 2])).Message, StringComparison.Ordinal);
    }

    private static TokenSample[] Documents(JsonNode example)
    {
        int[] ids = TestJson.Ints(example["input_ids"]);
        var whole = new TokenSample(ids, example["labels"] is JsonNode labels ? TestJson.Ints(labels) : null);
        int at = 0;
        return example["seq_lengths"] is not JsonNode lengths ? [whole] : [.. TestJson.Ints(lengths).Select(n => whole.Slice((at += n) - n, n))];
    }
}
