// Zstandard needs the system's library; where it is missing these tests are skipped. Frames are made by hand: a header, stored blocks.
using System.Buffers.Binary;
using System.Text;
using LlmShearing.Data.Compression;
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Tests.Corpus;

public sealed class ZstdCorpusTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [ZstdFact]
    public void Frames_AreReadOneAfterTheOther()
    {
        string line = $"{{\"text\":\"{new string('q', 100_000)}\"}}\n";
        _folder.Write("in/d/a.jsonl.zst", [.. Frame("{\"text\":\"abc\"}\n"), .. Frame(line), .. Frame("{\"text\":\"de\"}\n")]);
        Tokenize();
        using ITokenRows rows = TokenRows.Open(_folder["out/d"]);
        Assert.Equal(ByteTokenizer.Ids("abc" + new string('q', 100_000) + "de"), rows.All().Select(r => r[0]));
    }

    [ZstdFact]
    public void CutShortOrDamaged_IsRefused()
    {
        byte[] whole = Frame("{\"text\":\"abc\"}\n");
        foreach (byte[] damaged in new[] { whole[..^1], whole[..7], [.. whole, 1, 2, 3, 4], [.. whole, .. whole[..5]], [0, .. whole] })
        {
            _folder.Write("in/d/a.jsonl.zst", damaged);
            Assert.Contains("a.jsonl.zst cannot be read: the Zstandard data are", Assert.Throws<TokenDataException>(Tokenize).Message, StringComparison.Ordinal);
        }
    }

    private void Tokenize() =>
        new CorpusTokenizer(new ByteTokenizer(), new() { RowLength = 1, AddBos = false, AddEos = false, Overwrite = true }).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder["out"]);

    // Magic number, single segment with a 4-byte content size, stored blocks of at most 64 KiB.
    private static byte[] Frame(string text)
    {
        byte[] content = Encoding.UTF8.GetBytes(text);
        var frame = new List<byte> { 0x28, 0xB5, 0x2F, 0xFD, 0xA0 };
        byte[] number = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(number, content.Length);
        frame.AddRange(number);
        for (int at = 0; at < content.Length; at += 1 << 16)
        {
            int size = Math.Min(1 << 16, content.Length - at);
            BinaryPrimitives.WriteInt32LittleEndian(number, (size << 3) | (at + size == content.Length ? 1 : 0));
            frame.AddRange(number[..3]);
            frame.AddRange(content[at..(at + size)]);
        }

        return [.. frame];
    }
}

/// <summary>A fact that needs the system's libzstd; skipped where there is none.</summary>
public sealed class ZstdFactAttribute : FactAttribute
{
    public ZstdFactAttribute() => Skip = Zstd.IsAvailable ? null : "libzstd is not installed.";
}
