using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Testing;

namespace LlmShearing.Data.Tests.Rows;

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
    [InlineData(2, 256, TokenDtype.Int32, "uint16", "int32")]
    [InlineData(2, 256, TokenDtype.UInt32, "uint16", "uint32")]
    [InlineData(2, 32, TokenDtype.Int32, "uint16", "int32")]
    [InlineData(2, 32, TokenDtype.UInt64, "uint16", "uint64")]
    [InlineData(4, 32000, TokenDtype.Int16, "int32", "int16")]
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

    [Theory]
    [InlineData(null)]
    [InlineData(TokenDtype.UInt16)]
    public void OneIdOverAndOver_IsNotTakenForWiderIds(TokenDtype? read)
    {
        int[][] rows = [.. Enumerable.Range(0, 40).Select(i => Enumerable.Repeat(i % 2 == 0 ? 0 : 97, 16).ToArray())];
        Mds("mds", 2, rows);
        using ITokenRows found = TokenRows.Open(_folder["mds"], new TokenRowsOptions { Dtype = read });
        int[] row = new int[16];
        found.Read(1, row);
        Assert.Equal(rows[1], row);
    }

    [Fact]
    public void RowsThatAreMostlyPadding_AreReadAsTheirTypeWhenItIsNamed()
    {
        // One id, then zeros: nobody can tell these from wider ids.
        int[][] rows = [.. Enumerable.Range(0, 40).Select(i => new[] { 1 + i, 0, 0, 0, 0, 0, 0, 0 })];
        Mds("mds", 2, rows);
        Assert.Contains("name the type", Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder["mds"]).Dispose()).Message, StringComparison.Ordinal);
        using ITokenRows found = TokenRows.Open(_folder["mds"], new TokenRowsOptions { Dtype = TokenDtype.UInt16 });
        Assert.Equal(8, found.RowLength);
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

    private void Stream(string name, int width, int[][] rows) => _folder.Write(name, RawMds.Bytes(width, rows.SelectMany(r => r)));

    private void Mds(string name, int width, int[][] rows) => RawMds.Write(_folder[name], width, rows);
}
