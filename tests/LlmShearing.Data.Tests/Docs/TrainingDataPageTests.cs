// The code in docs/training-data.md is this code.
using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Samples;
using LlmShearing.Data.Shards;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Docs;

public sealed class TrainingDataPageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("training-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Domains_Snippet_Works()
    {
        string folder = _folder;
        foreach (string domain in new[] { "web", "code" })
        {
            using var writer = new TokenShardWriter(Path.Combine(folder, $"{domain}.tok"), domain, 8, 100);
            for (int r = 0; r < 10; r++)
                writer.Write([r, 1, 2, 3, 4, 5, 6, 7]);
            writer.Complete();
        }

        // <snippet>
        using ITokenRows web = TokenRows.Open(Path.Combine(folder, "web.tok")), code = TokenRows.Open(Path.Combine(folder, "code.tok"));
        var sampler = new FixedDomainSampler(new FixedDomainSamplerOptions { Proportions = { ["web"] = 0.8, ["code"] = 0.2 } });
        using var data = new PrefetchedData(new DomainBatches(
            [new TokenDomain("web", web), new TokenDomain("code", code)], sampler, new DomainBatchesOptions { BatchSize = 4, Seed = 17 }));
        TrainingBatch batch = data.NextBatch()!;
        JsonObject place = data.Save();
        // </snippet>
        Assert.Equal((4, 8), (batch.Tokens.BatchSize, batch.Tokens.SequenceLength));
        Assert.Equal(4, place["domains"]!.AsObject().Sum(d => d.Value!["position"]!.GetValue<long>()));
    }

    [Fact]
    public void Instructions_Snippet_Works()
    {
        string file = Path.Combine(_folder, "data.jsonl");
        File.WriteAllText(file, """
            {"instruction": "Name a colour.", "output": "Red."}
            {"instruction": "Add.", "input": "1 and 2", "output": "3"}
            """);
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path("eval/models/tiny-bpe512"));

        // <snippet>
        var tokenized = new InstructionTokenizer(tokenizer, InstructionTemplates.Get("alpaca"), new InstructionTokenizerOptions { MaxLength = 512 });
        InstructionSamples samples = tokenized.EncodeAll(InstructionFile.Read(file));
        using var data = new InstructionBatches(samples.Samples, new InstructionBatchesOptions
        {
            Collator = new CollatorOptions { PadId = PaddingToken.Of(tokenizer).Id, MultipleOf = 8 },
            BatchSize = 2,
            Epochs = 2,
        });
        TrainingBatch batch = data.NextBatch()!;
        // </snippet>
        Assert.Equal(2, batch.Tokens.BatchSize);
        Assert.Equal(samples.LearnedTokens, batch.Scored().Targets.Length);
    }

    [Fact]
    public void Page_Snippets_AreTheCodeAbove() => PageSnippets.AssertEqual("training-data.md");
}
