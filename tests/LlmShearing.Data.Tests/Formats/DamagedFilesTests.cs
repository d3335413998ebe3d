// Every member of every JSON file of data and tokenizers, damaged in every way: what comes out is an error of ours that names the file.
using System.Text;
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Mds;
using LlmShearing.Data.Tests.Corpus;
using LlmShearing.Files;
using LlmShearing.Testing;
using LlmShearing.Testing.Tokenizers;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Tests.Formats;

public sealed class DamagedFilesTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void RowIndex_OnlyOurErrors()
    {
        Corpus();
        Check("out/d/index.json", f => TokenRows.Open(Path.GetDirectoryName(f)!).Dispose());
    }

    [Fact]
    public void Tokenizer_OnlyOurErrors()
    {
        _folder.Write("t/tokenizer.json", TestTokenizer.Json().ToJsonString());
        Check("t/tokenizer.json", f => TokenizerLoader.Load(Path.GetDirectoryName(f)!));
    }

    [Fact]
    public void TokenizerConfig_OnlyOurErrors()
    {
        _folder.Write("t/tokenizer.json", TestTokenizer.Json().ToJsonString());
        _folder.Write("t/tokenizer_config.json", """{ "add_bos_token": false, "add_eos_token": false, "bos_token": "a", "eos_token": { "content": "b", "special": true }, "chat_template": "x", "added_tokens_decoder": { "0": { "content": "a" } } }""");
        Check("t/tokenizer_config.json", f => TokenizerLoader.Load(Path.GetDirectoryName(f)!));
    }

    [Fact]
    public void ReferenceLosses_OnlyOurErrors()
    {
        ReferenceLosses.Save(_folder["losses.json"], new Dictionary<string, double> { ["a"] = 1.5, ["b"] = 2 });
        Check("losses.json", f => ReferenceLosses.Load(f));
    }

    [Fact]
    public void MdsIndex_OnlyOurErrors()
    {
        _folder.Write("index.json", """
            { "version": 2, "shards": [ { "column_encodings": ["bytes"], "column_names": ["tokens"], "column_sizes": [null], "compression": null, "format": "mds", "hashes": [],
              "raw_data": { "basename": "shard.00000.mds", "bytes": 10, "hashes": {} }, "samples": 1, "size_limit": 67108864, "version": 2, "zip_data": null } ] }
            """);
        Check("index.json", f => MdsShardInfo.LoadIndex(f), 20);
    }

    [Theory]
    [InlineData("""{"instruction":"a","input":"b","output":"c"}""")]
    [InlineData("""[{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}]""")]
    public void Instructions_OnlyOurErrors(string json)
    {
        _folder.Write("i.json", json);
        Check("i.json", f => Assert.NotEmpty(InstructionFile.Read(f).ToList()));
    }

    // A damaged line of the journal is lost with what follows it, and the rows come out the same.
    [Fact]
    public void Journal_DamagedAnywhere_GoesOnToTheSameRows()
    {
        for (int i = 0; i < 3; i++)
            _folder.Write($"in/d/{i}.txt", new string((char)('a' + i), 31 + i));
        Tokenize("whole");
        byte[] good = File.ReadAllBytes(_folder["in/d/2.txt"]);
        DateTime time = File.GetLastWriteTimeUtc(_folder["in/d/2.txt"]);
        byte[] whole = File.ReadAllBytes(Directory.GetFiles(_folder["whole/d"], "*.tok")[0]);
        File.WriteAllBytes(_folder["in/d/2.txt"], [.. good[..^1], 0xFF]);
        Assert.Throws<TokenDataException>(() => Tokenize("stopped"));
        string[] lines = File.ReadAllLines(_folder["stopped/d/progress.jsonl"]);
        File.WriteAllBytes(_folder["in/d/2.txt"], good);
        File.SetLastWriteTimeUtc(_folder["in/d/2.txt"], time);
        int tried = 0;
        for (int l = 0; l < lines.Length; l++)
        {
            string json = lines[l][..^9];
            foreach (byte[] content in JsonMutations.Of(json).Select(m => m.Content).Where((_, i) => i % 7 == l))
            {
                // With the checksum that the line had, and with one that fits the damage.
                foreach (string sum in new[] { lines[l][^9..], $" {Crc32C.Compute(content):x8}" })
                {
                    string name = $"o{tried++}";
                    Directory.CreateDirectory(_folder[$"{name}/d"]);
                    foreach (string file in Directory.GetFiles(_folder["stopped/d"]))
                        File.Copy(file, Path.Combine(_folder[$"{name}/d"], Path.GetFileName(file)));
                    byte[][] written = [.. lines.Select(t => Encoding.UTF8.GetBytes(t))];
                    written[l] = [.. content, .. Encoding.ASCII.GetBytes(sum)];
                    File.WriteAllBytes(_folder[$"{name}/d/progress.jsonl"], [.. written.SelectMany(w => (byte[])[.. w, (byte)'\n'])]);
                    try
                    {
                        Tokenize(name);
                    }
                    catch (TokenDataException e) when (sum != lines[l][^9..])
                    {
                        Assert.Contains(_folder[$"{name}/d"], e.Message, StringComparison.Ordinal);
                        continue;
                    }

                    if (sum == lines[l][^9..])
                        Assert.Equal(whole, File.ReadAllBytes(Directory.GetFiles(_folder[$"{name}/d"], "*.tok")[0]));
                }
            }
        }

        Assert.True(tried > 50);
    }

    private void Corpus()
    {
        _folder.Write("in/d/0.txt", new string('a', 100));
        Tokenize("out");
    }

    private void Tokenize(string name) =>
        new CorpusTokenizer(new ByteTokenizer(), new CorpusTokenizerOptions { RowLength = 8 }).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder[name]);

    private void Check(string name, Action<string> read, int entries = 8)
    {
        string file = _folder[name];
        read(file);
        IReadOnlyList<string> failures = JsonMutations.Failures(file, File.ReadAllText(file), () => read(file), entries);
        Assert.True(failures.Count == 0, string.Join("\n", failures.Take(30)));
    }
}
