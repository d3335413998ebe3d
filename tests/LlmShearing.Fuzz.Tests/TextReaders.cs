// Corpora, instruction files, reference losses, split manifests.
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Split;
using LlmShearing.Tokenizers;

namespace LlmShearing.Fuzz.Tests;

internal static class TextReaders
{
    private const string Lines = "{\"text\":\"abc ab\",\"meta\":{\"n\":1}}\n{\"id\":2,\"text\":\"cab \\u00e9\\n\"}\n{\"text\":\"\"}\n";

    public static IEnumerable<FuzzReader> All()
    {
        foreach ((string name, string content) in new[]
        {
            ("alpaca", "{\"instruction\":\"a\",\"input\":\"b\",\"output\":\"c\"}\n{\"instruction\":\"a\",\"input\":\"\",\"output\":\"c\"}\n"),
            ("sharegpt", "{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":\"b\"}]}\n"),
            ("messages", "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]}\n"),
            ("input", "{\"input\":\"a\",\"output\":\"b\"}\n"),
        })
        {
            yield return FuzzReaders.Text($"instructions-{name}-lines", "data.jsonl", FuzzShape.JsonLines, content, Instructions);
            yield return FuzzReaders.Text($"instructions-{name}", "data.json", FuzzShape.Json, "[" + content.TrimEnd().Replace('\n', ',') + "]", Instructions);
        }

        yield return Corpus("jsonl", FuzzShape.JsonLines, FuzzReaders.Ascii(Lines));
        yield return Corpus("txt", FuzzShape.Bytes, FuzzReaders.Ascii("abc ab\ncab \n"));
        foreach ((string kind, Func<byte[], byte[]> pack) in Packing.Text)
            yield return Corpus("jsonl." + kind, FuzzShape.Bytes, pack(FuzzReaders.Ascii(Lines)));
        yield return FuzzReaders.Text("reference-losses", "losses.json", FuzzShape.Json, "{\"web\":2.31,\"code\":0.94}", f => ReferenceLosses.Load(f));
        yield return FuzzReaders.Text("split-manifest", "split.json", FuzzShape.Json, """
            { "format": "shear-split", "version": 1, "unit": "Rows", "seed": 1, "domains": [{ "name": "d", "rows": 10, "sets": [
              { "name": "train", "count": 7, "rows": "0-5,7" }, { "name": "test", "count": 2, "rows": "6,9", "files": ["a.jsonl"] }] }] }
            """, f => SplitPlan.Load(f));
    }

    private static void Instructions(string path)
    {
        foreach (InstructionRecord _ in InstructionFile.Read(path))
        {
        }
    }

    private static FuzzReader Corpus(string extension, FuzzShape shape, byte[] content)
    {
        string file = Path.Combine("in", "d", "a." + extension);
        return new("corpus-" + extension, file, shape, f =>
        {
            File.WriteAllText(Path.Combine(f, "tokenizer.json"), TokenizerReaders.Metaspace);
            Directory.CreateDirectory(Path.Combine(f, "in", "d"));
            File.WriteAllBytes(Path.Combine(f, file), content);
        }, f =>
        {
            string target = Path.Combine(f, "out");
            if (Directory.Exists(target))
                Directory.Delete(target, recursive: true);
            var tokenizer = new CorpusTokenizer(TokenizerLoader.Load(Path.Combine(f, "tokenizer.json")), new CorpusTokenizerOptions { RowLength = 4, Workers = 1, AddBos = false, AddEos = false });
            tokenizer.Tokenize(CorpusDomain.Discover(Path.Combine(f, "in")), target);
        });
    }
}
