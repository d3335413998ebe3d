// LLM-Shearing's tokenize_single_file.py and sample.py on the same text.
using System.Text.Json.Nodes;
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Tests.Corpus;

public sealed class DataPrepGoldenTests
{
    private const string Expected = "shearing/data-prep/expected.json";
    private const string Model = "../data/tokenizers/llama2/tokenizer.model";

    [GoldenFact(Expected, Model)]
    public void JsonLines_GiveTheRowsOfTheOriginal()
    {
        using var folder = new TestFolder();
        JsonObject expected = JsonNode.Parse(File.ReadAllText(Goldens.Path(Expected)))!.AsObject();
        int length = (int)expected["seq_length"]!;
        CorpusTokenizerOptions options = new() { RowLength = length, Remainder = RowRemainder.DropAsLlmShearing, KeepEmptyDocuments = true, Workers = 2 };
        new CorpusTokenizer(TokenizerLoader.Load(Goldens.Path(Model)), options).Tokenize(CorpusDomain.Discover(Goldens.Path("shearing/data-prep/jsonl")), folder.Path);
        foreach (ITokenRows domain in TokenRows.OpenDomains(folder.Path))
        {
            using (domain)
            {
                int next = 0;
                foreach (TokenSource source in TokenShardIndex.Load(folder[domain.Name + "/index.json"]).Sources)
                {
                    JsonObject file = expected["files"]![$"{domain.Name}/{source.File}"]!.AsObject();
                    Assert.Equal((long)file["total_tokens"]!, source.Tokens);
                    Assert.Equal(((long)file["rows"]!, (long)next), (source.Rows, source.FirstRow));
                    using ITokenRows npy = TokenRows.Open(Goldens.Path($"shearing/data-prep/npy/{domain.Name}/{Path.ChangeExtension(source.File, ".npy")}"));
                    Assert.Equal(npy.All(), Enumerable.Range(next, (int)npy.Count).Select(r => domain.Row(r)));
                    next += (int)npy.Count;
                }

                Assert.Equal(next, domain.Count);
            }
        }
    }

    [GoldenFact(Expected)]
    public void SampledDataSets_HoldTheRowsOfTheirSources()
    {
        JsonObject expected = JsonNode.Parse(File.ReadAllText(Goldens.Path(Expected)))!.AsObject();
        foreach ((string folder, JsonNode? set) in expected["mds"]!.AsObject())
        {
            using ITokenRows rows = TokenRows.Open(Goldens.Path("shearing/data-prep/mds/" + folder), new TokenRowsOptions { RowLength = (int)expected["seq_length"]! });
            Assert.Equal((folder.Split('/')[1], (long)set!["count"]!), (rows.Name, rows.Count));
            foreach ((int i, JsonNode? sample) in set["samples"]!.AsArray().Index())
            {
                Assert.Equal(sample!["ids"]!.AsArray().Select(id => (int)id!), rows.Row(i));
                (string file, int row) = ((string)sample["source"]![0]![0]!, (int)sample["source"]![0]![1]!);
                using ITokenRows npy = TokenRows.Open(Goldens.Path("shearing/data-prep/npy/" + Path.ChangeExtension(file, ".npy").Replace(".jsonl", "", StringComparison.Ordinal)));
                Assert.Equal(npy.Row(row), rows.Row(i));
            }
        }
    }
}
