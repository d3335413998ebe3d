using System.Text;
using LlmShearing.Data.Compression;

namespace LlmShearing.Data.Tests.Mds;

public sealed class XxHash64Tests
{
    // Values of the reference implementation (xxhsum) for these texts.
    [Theory]
    [InlineData("", 0xef46db3751d8e999)]
    [InlineData("a", 0xd24ec4f1a98c6e5b)]
    [InlineData("abc", 0x44bc2cf5ad770999)]
    public void KnownTexts(string text, ulong expected)
    {
        var hash = new XxHash64();
        hash.Append(Encoding.ASCII.GetBytes(text));
        Assert.Equal(expected, hash.Finish());
    }

    [Fact]
    public void Pieces_GiveTheSameAsTheWhole()
    {
        byte[] data = new byte[1000];
        new Random(5).NextBytes(data);
        var whole = new XxHash64();
        whole.Append(data);
        var pieces = new XxHash64();
        for (int at = 0, size = 0; at < data.Length; at += size, size = (size + 7) % 71)
            pieces.Append(data.AsSpan(at, Math.Min(size, data.Length - at)));
        Assert.Equal(whole.Finish(), pieces.Finish());
    }
}
