using System.Buffers.Binary;
using LlmShearing.Data.Shards;

namespace LlmShearing.Data.Tests.Shards;

public sealed class TokenShardTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(7, 16, 65536, 2)]
    [InlineData(3, 5000, 65537, 4)]   // longer than one chunk of reading
    [InlineData(0, 4, 10, 2)]
    public void WriteThenRead_RowsAreTheSame(int count, int length, int vocabulary, int bytesPerId)
    {
        int[][] rows = TestFolder.Rows(count, length, vocabulary);
        string path = Write(rows, length, vocabulary);
        Assert.Equal(256 + (count * length * bytesPerId), new FileInfo(path).Length);
        using TokenShard shard = TokenShard.Open(path);
        Assert.Equal(("wiki-ü", count, length, vocabulary), (shard.Name, (int)shard.Count, shard.RowLength, shard.VocabularySize!.Value));
        Assert.Equal(rows, shard.All());
        shard.Verify();
        Assert.Equal(["a.tok"], _folder.Files);
    }

    [Fact]
    public void Read_FromManyThreads_Agrees()
    {
        int[][] rows = TestFolder.Rows(64, 100, 500);
        using TokenShard shard = TokenShard.Open(Write(rows, 100, 500));
        Parallel.For(0, 2000, i => Assert.Equal(rows[i % 64], shard.Row(i % 64)));
    }

    [Fact]
    public void Read_BadArguments_AreRefused()
    {
        using TokenShard shard = TokenShard.Open(Write(TestFolder.Rows(2, 4, 9), 4, 9));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.Read(2, new int[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.Read(-1, new int[4]));
        Assert.Throws<ArgumentException>(() => shard.Read(0, new int[5]));
    }

    [Fact]
    public void Disposed_BeforeComplete_LeavesNothing()
    {
        using (var writer = new TokenShardWriter(_folder["a.tok"], "d", 2, 10))
            writer.Write([1, 2]);
        Assert.Empty(_folder.Files);
    }

    [Fact]
    public void Write_BadRows_NameThePlace()
    {
        using var writer = new TokenShardWriter(_folder["a.tok"], "d", 2, 10);
        writer.Write([1, 2]);
        Assert.Contains("row 1, token 1: id 10 is not below the vocabulary size 10", Assert.Throws<TokenDataException>(() => writer.Write([0, 10])).Message, StringComparison.Ordinal);
        Assert.Contains("row 1, token 0: id -1", Assert.Throws<TokenDataException>(() => writer.Write([-1, 0])).Message, StringComparison.Ordinal);
        Assert.Contains("3 ids; every row of this shard has 2", Assert.Throws<TokenDataException>(() => writer.Write([1, 2, 3])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0x00, "no token shard")]
    [InlineData(8, 2, "version 2")]
    [InlineData(12, 3, "3 bytes an id")]
    [InlineData(16, 0, "row length 0")]
    [InlineData(24, 9, "announces 9 rows of 4 ids, a file of 328 bytes; the file has 288")]
    [InlineData(31, 0x7F, "announces")]   // a row count near 2^63: nothing is allocated or mapped for it
    [InlineData(64, 250, "domain's name has 250 bytes")]
    public void Open_DamagedHeader_IsRefused(int offset, byte value, string expected)
    {
        byte[] bytes = File.ReadAllBytes(Write(TestFolder.Rows(4, 4, 9), 4, 9));
        bytes[offset] = value;
        string path = _folder.Write("b.tok", bytes);
        string message = Assert.Throws<TokenDataException>(() => TokenShard.Open(path)).Message;
        Assert.Contains("b.tok", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    [InlineData(287)]
    [InlineData(289)]
    public void Open_OtherSize_IsRefused(int size)
    {
        byte[] bytes = File.ReadAllBytes(Write(TestFolder.Rows(4, 4, 9), 4, 9));
        Array.Resize(ref bytes, size);
        Assert.Throws<TokenDataException>(() => TokenShard.Open(_folder.Write("b.tok", bytes)));
    }

    [Fact]
    public void ChangedIds_AreFound()
    {
        byte[] bytes = File.ReadAllBytes(Write(TestFolder.Rows(4, 4, 9), 4, 9));
        bytes[256] ^= 1;
        using (TokenShard flipped = TokenShard.Open(_folder.Write("b.tok", bytes)))
            Assert.Contains("SHA-256", Assert.Throws<TokenDataException>(() => flipped.Verify()).Message, StringComparison.Ordinal);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(256 + 8 + 4), 9);
        using TokenShard outside = TokenShard.Open(_folder.Write("c.tok", bytes));
        Assert.Contains("c.tok, token 6: 9 is no id below 9", Assert.Throws<TokenDataException>(() => outside.Row(1)).Message, StringComparison.Ordinal);
    }

    private string Write(int[][] rows, int length, int vocabulary)
    {
        using var writer = new TokenShardWriter(_folder["a.tok"], "wiki-ü", length, vocabulary);
        foreach (int[] row in rows)
            writer.Write(row);
        writer.Complete();
        return _folder["a.tok"];
    }
}
