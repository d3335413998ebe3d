using System.Buffers.Binary;

namespace LlmShearing.Data.Tests;

/// <summary>Raw ids of a width that no file states: read rightly when it is named, refused when it cannot be right.</summary>
public sealed class TokenWidthTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(4, 32000, null, "int32", "uint16")]
    [InlineData(8, 32000, null, "int64", "uint16")]
    [InlineData(4, 128000, null, "int32", "uint16")]
    [InlineData(8, 128000, null, "int64", "uint16")]
    [InlineData(8, 32000, TokenDtype.UInt16, "int64", "uint16")]
    [InlineData(8, 32000, TokenDtype.Int32, "int64", "int32")]
    [InlineData(8, 128000, TokenDtype.UInt32, "int64", "uint32")]
    [InlineData(2, 32000, TokenDtype.Int32, "uint16", "int32")]
    [InlineData(2, 32000, TokenDtype.Int64, "uint16", "int64")]
    [InlineData(4, 32000, TokenDtype.Int64, "int32", "int64")]
    public void WrongWidth_IsRefusedWithBothTypes(int width, int vocabulary, TokenDtype? read, string right, string wrong)
    {
        int[][] rows = Rows(vocabulary);
        Mds("mds", width, rows);
        Stream("ids.bin", width, rows);
        foreach (string path in new[] { "mds", "ids.bin" })
        {
            string message = Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder[path], new TokenRowsOptions { RowLength = path == "mds" ? null : 16, Dtype = read }).Dispose()).Message;
            Assert.Contains(right, message, StringComparison.Ordinal);
            Assert.Contains(wrong, message, StringComparison.Ordinal);
            Assert.Contains("Dtype", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(2, 32000, null)]
    [InlineData(2, 20, null)]
    [InlineData(2, 32000, TokenDtype.UInt16)]
    [InlineData(4, 128000, TokenDtype.Int32)]
    [InlineData(4, 32000, TokenDtype.UInt32)]
    [InlineData(8, 128000, TokenDtype.Int64)]
    public void RightWidth_GivesTheIds(int width, int vocabulary, TokenDtype? read)
    {
        int[][] rows = Rows(vocabulary);
        Mds("mds", width, rows);
        Stream("ids.bin", width, rows);
        foreach (string path in new[] { "mds", "ids.bin" })
        {
            using ITokenRows found = TokenRows.Open(_folder[path], new TokenRowsOptions { RowLength = 16, Dtype = read });
            Assert.Equal(rows.Length, found.Count);
            int[] row = new int[16];
            found.Read(3, row);
            Assert.Equal(rows[3], row);
        }
    }

    [Fact]
    public void PaddedRows_AreNotTakenForWiderIds()
    {
        int[][] rows = [.. Enumerable.Range(0, 10).Select(i => new int[16])];
        rows[0][0] = 7;
        Mds("mds", 2, rows);
        using ITokenRows found = TokenRows.Open(_folder["mds"]);
        Assert.Equal(16, found.RowLength);
    }

    [Fact]
    public void LengthThatDoesNotFit_NamesTheOther()
    {
        Mds("mds", 2, [[1, 2, 3], [4, 5, 6]]);
        string message = Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder["mds"], new TokenRowsOptions { Dtype = TokenDtype.Int64 }).Dispose()).Message;
        Assert.Contains("int64", message, StringComparison.Ordinal);
        Assert.Contains("uint16", message, StringComparison.Ordinal);
    }

    private static int[][] Rows(int vocabulary)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, 20).Select(_ => Enumerable.Range(0, 16).Select(_ => random.Next(1, vocabulary)).ToArray())];
    }

    private static byte[] Bytes(int width, IEnumerable<int> ids) => [.. ids.SelectMany(id =>
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, id);
        return bytes[..width];
    })];

    private void Stream(string name, int width, int[][] rows) => _folder.Write(name, Bytes(width, rows.SelectMany(r => r)));

    // One shard without compression: the count, where each sample begins, the header, the samples.
    private void Mds(string name, int width, int[][] rows)
    {
        const string header = """{"column_encodings": ["bytes"], "column_names": ["tokens"], "column_sizes": [null]}""";
        byte[][] samples = [.. rows.Select(r => Bytes(width, r)).Select(b => (byte[])[.. BitConverter.GetBytes(b.Length), .. b])];
        var shard = new List<byte>(BitConverter.GetBytes(rows.Length));
        int at = 4 + (4 * (rows.Length + 1)) + header.Length;
        foreach (byte[] sample in samples.Append([]))
        {
            shard.AddRange(BitConverter.GetBytes(at));
            at += sample.Length;
        }

        shard.AddRange(System.Text.Encoding.ASCII.GetBytes(header));
        foreach (byte[] sample in samples)
            shard.AddRange(sample);
        _folder.Write(name + "/shard.00000.mds", shard.ToArray());
        _folder.Write(name + "/index.json", $$$"""
            {"shards": [{"column_encodings": ["bytes"], "column_names": ["tokens"], "column_sizes": [null], "compression": null, "format": "mds", "hashes": [],
             "raw_data": {"basename": "shard.00000.mds", "bytes": {{{shard.Count}}}, "hashes": {}}, "samples": {{{rows.Length}}}, "size_limit": 67108864, "version": 2, "zip_data": null}], "version": 2}
            """);
    }
}
