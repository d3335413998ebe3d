using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace LlmShearing.Cli.Tests;

/// <summary>Text files as people have them: read alike by every verb, or refused by file and line.</summary>
public sealed class TextFileTests : IDisposable
{
    private const string Words = "The quick brown fox jumps over the lazy dog and runs on. ";

    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("bom.jsonl", "\uFEFF{\"text\":\"WORDS\"}\r\n\r\n{\"text\":\"WORDS\"}\r\n", 2)]
    [InlineData("nan.jsonl", "{\"text\":\"WORDS\",\"meta\":{\"score\":NaN,\"ppl\":[Infinity,-Infinity]}}\n", 1)]
    [InlineData("broken-elsewhere.jsonl", "{\"meta\":\"\\ud83d\",\"\\ud83d\":1,\"text\":\"WORDS\"}\n", 1)]
    [InlineData("twice.jsonl", "{\"text\":\"first\",\"text\":\"WORDS\"}\n", 1)]
    [InlineData("capital.JSONL", "{\"text\":\"WORDS\"}", 1)]
    [InlineData("no-extension", "{\"text\":\"WORDS\"}\n{\"text\":\"WORDS\"}\n", 2)]
    [InlineData("lines.jsonl", "{\"text\":\"WORDS\u2028\u0085\"}\n", 1)]
    [InlineData("x.jsonl.gz", "{\"text\":\"WORDS\"}\n{\"text\":\"WORDS\"}\n", 2)]
    [InlineData("x.txt.gz", "WORDS", 1)]
    public void TextThatCanBeRead_IsTheSameInEveryVerb(string name, string content, int records)
    {
        string path = Write(name, content.Replace("WORDS", Words, StringComparison.Ordinal));
        JsonElement tokens = Shear.Json("tokens", Shear.Demo, "--file", path, "--no-special-tokens");
        Assert.Equal(records, tokens.GetProperty("rows").GetArrayLength());
        JsonElement rows = Shear.Json("tokenize", path, "--tokenizer", Shear.Demo, "--no-bos", "--no-eos", "--length", "1", "--out", _scratch["rows"]);
        Assert.Equal(tokens.GetProperty("tokens").GetInt64(), rows.GetProperty("tokens").GetInt64());
        Shear.Json("eval", Shear.Demo, "--file", path);
        Shear.Json("score", Shear.Demo, "--scorer", "block-influence", "--file", path, "--length", "4", "--samples", "1");
    }

    [Fact]
    public void Field_NamesTheMemberInTrainingAndMeasuringToo()
    {
        string path = Write("a.jsonl", "{\"body\":\"" + string.Concat(Enumerable.Repeat(Words, 40)) + "\"}\n");
        string[] train = ["train", Shear.Demo, "--file", path, "--length", "8", "--steps", "1", "--batch-size", "1", "--micro-batch", "1", "--out", _scratch["trained"]];
        Assert.Contains("line 1: no member \"text\"; there are: body", Shear.BadInput(train), StringComparison.Ordinal);
        Shear.Json([.. train, "--field", "body"]);
        Shear.Json(
            "prune", Shear.Demo, "--scorer", "block-influence", "--remove", "2", "--file", path, "--field", "body", "--length", "8", "--samples", "1", "--evaluate", path,
            "--recover", "full", "--recover-steps", "1", "--recover-batch", "1", "--out", _scratch["pruned"]);
    }

    [Fact]
    public void ZstdText_IsReadByFileOptions()
    {
        byte[] text = Encoding.UTF8.GetBytes("{\"text\":\"" + Words + "\"}\n");
        File.WriteAllBytes(_scratch["a.jsonl.zst"], StoredZstd(text));
        _scratch.Write("a.jsonl", Encoding.UTF8.GetString(text));
        Assert.Equal(
            Shear.Json("tokens", Shear.Demo, "--file", _scratch["a.jsonl"]).ToString(),
            Shear.Json("tokens", Shear.Demo, "--file", _scratch["a.jsonl.zst"]).ToString());
    }

    [Theory]
    [InlineData("a.jsonl", "{\"text\":\"x\"}\n{\"text\":null}\n", "line 2: \"text\" is not text")]
    [InlineData("a.jsonl", "{\"text\":\"x\"}\n{\"content\":\"x\"}\n", "line 2: no member \"text\"; there are: content")]
    [InlineData("a.jsonl", "{\"text\":\"tab\there\"}\n", "line 1, byte 12: not valid JSON")]
    [InlineData("a.jsonl", "{\"text\":\"\\ud83d\"}\n", "line 1: the text is not valid UTF-8 or has half a surrogate pair")]
    [InlineData("a.jsonl", "{\"text\":NaN}\n", "line 1: \"text\" is not text")]
    [InlineData("a.json", "[\n {\"text\":\"x\"}\n]\n", "line 1: expected a JSON object with a member \"text\", found an array")]
    [InlineData("utf16.jsonl", "{\"text\":\"x\"}\n", "line 1: the text is UTF-16")]
    [InlineData("utf16.txt", "words", "line 1: the text is UTF-16")]
    public void TextThatCannotBeRead_IsRefusedAlikeByEveryVerb(string name, string content, string expected)
    {
        string path = Write(name, content);
        string[][] verbs =
        [
            ["tokens", Shear.Demo, "--file", path],
            ["tokenize", path, "--tokenizer", Shear.Demo, "--length", "1", "--out", _scratch["rows"]],
            ["eval", Shear.Demo, "--file", path],
            ["score", Shear.Demo, "--scorer", "block-influence", "--file", path],
            ["train", Shear.Demo, "--file", path, "--steps", "1", "--out", _scratch["out"]],
            ["prune", Shear.Demo, "--scorer", "block-influence", "--remove", "2", "--file", path, "--out", _scratch["out"]],
        ];
        string message = $"shear: {path}, {expected}";
        foreach (string[] verb in verbs)
            Assert.StartsWith(message, Shear.BadInput(verb), StringComparison.Ordinal);
    }

    private string Write(string name, string content)
    {
        if (!name.EndsWith(".gz", StringComparison.Ordinal))
        {
            File.WriteAllText(_scratch[name], content, name.StartsWith("utf16", StringComparison.Ordinal) ? Encoding.Unicode : new UTF8Encoding(false));
            return _scratch[name];
        }

        // Two members, as parallel compressors write them.
        byte[] bytes = Encoding.UTF8.GetBytes(content);
        using FileStream file = File.Create(_scratch[name]);
        foreach (byte[] part in new[] { bytes[..(bytes.Length / 2)], bytes[(bytes.Length / 2)..] })
            using (var packed = new GZipStream(file, CompressionLevel.Fastest, leaveOpen: true))
                packed.Write(part);
        return _scratch[name];
    }

    // A Zstandard frame of one block that is stored as it is: magic number, one segment with its size in two bytes, block header.
    private static byte[] StoredZstd(byte[] text)
    {
        Assert.InRange(text.Length, 1, 255);
        int block = (text.Length << 3) | 1;
        return [0x28, 0xB5, 0x2F, 0xFD, 0x20, (byte)text.Length, (byte)block, (byte)(block >> 8), (byte)(block >> 16), .. text];
    }
}
