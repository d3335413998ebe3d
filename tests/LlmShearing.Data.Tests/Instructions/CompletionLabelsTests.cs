using System.Text.Json.Nodes;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Samples;
using LlmShearing.Data.Tests.Samples;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Instructions;

public class CompletionLabelsTests
{
    private const string Golden = "eval/packing/completion_only.json";

    [GoldenFact(Golden)]
    public void Of_TrlCases_AreItsBatches()
    {
        int cases = 0;
        JsonNode[] collators = [.. JsonNode.Parse(File.ReadAllText(Goldens.Path(Golden)))!["collator"]!.AsArray().Select(c => c!)];
        JsonNode padded = collators[0]["batch"]!;
        int[][] texts = [.. TestJson.Rows(padded["input_ids"]).Zip(TestJson.Rows(padded["attention_mask"]), (ids, mask) => ids[..mask.Sum()])];
        foreach (JsonNode c in collators)
        {
            int[] answer = TestJson.Ints(c["response_token_ids"]);
            int[]? question = c["instruction_token_ids"] is JsonNode q ? TestJson.Ints(q) : null;
            TokenSample[] samples = [.. texts.Select(ids => CompletionLabels.Of(ids, answer, question))];
            var options = new CollatorOptions { PadId = 0 };
            bool free = (bool)c["padding_free"]!;
            TrainingBatch batch = free ? SampleCollator.Packed([samples], options) : SampleCollator.Padded(samples, options);
            Assert.Equal(TestJson.Rows(c["batch"]!["input_ids"]), TestJson.Rows(batch.Tokens.Ids, batch.Tokens.SequenceLength));
            Assert.Equal(TestJson.Rows(c["batch"]!["labels"]), TestJson.Rows(batch.Labels, batch.Tokens.SequenceLength));
            if (free)
                Assert.Equal(TestJson.Rows(c["batch"]!["position_ids"])[0].Select(p => (long)p), batch.Positions.ToArray());
            cases++;
        }

        Assert.Equal(4, cases);
    }

    [Fact]
    public void Of_EmptyMarker_IsRefused() => Assert.Throws<TokenDataException>(() => CompletionLabels.Of([1, 2], []));
}
