using System.Buffers.Binary;
using System.Text;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Tests.Formats;

public sealed class TokenFormatTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("<u2", 1)]
    [InlineData("<u2", 2)]
    [InlineData("<i4", 1)]
    [InlineData("<i8", 2)]
    [InlineData("|u1", 3)]
    public void Npy_RowsAreRead(string descr, int version)
    {
        int[][] rows = TestFolder.Rows(5, 6, 200);
        string path = _folder.Write("x.npy", Npy(descr, "(5, 6)", version, [.. rows.SelectMany(r => r)]));
        using ITokenRows read = TokenRows.Open(path);
        Assert.Equal(("x", 6), (read.Name, read.RowLength));
        Assert.Equal(rows, read.All());
    }

    [Fact]
    public void Npy_OneDimension_IsCutIntoRows()
    {
        string path = _folder.Write("x.npy", Npy("<u2", "(11,)", 1, [.. Enumerable.Range(0, 11)]));
        Assert.Contains("Say how long a row is", Assert.Throws<TokenDataException>(() => TokenRows.Open(path)).Message, StringComparison.Ordinal);
        using ITokenRows rows = TokenRows.Open(path, new() { RowLength = 4 });
        Assert.Equal([[0, 1, 2, 3], [4, 5, 6, 7]], rows.All());
    }

    [Theory]
    [InlineData(">u2", "(5, 6)", "type >u2; expected little-endian integers")]
    [InlineData("<f4", "(5, 6)", "type <f4; expected little-endian integers")]
    [InlineData("<u2", "(5, 7)", "makes a file of 198 bytes; it has 188")]
    [InlineData("<u2", "(99999999999, 99999999999)", "it has 188")]
    [InlineData("<u2", "(5, 6, 1)", "an array of 3 dimensions")]
    [InlineData("<u2", "(30, 0)", "it has 188")]
    public void Npy_Damaged_IsRefused(string descr, string shape, string expected)
    {
        string path = _folder.Write("x.npy", Npy(descr, shape, 1, new int[30]));
        string message = Assert.Throws<TokenDataException>(() => TokenRows.Open(path)).Message;
        Assert.Contains("x.npy", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Npy_NegativeId_NamesThePlace()
    {
        using ITokenRows rows = TokenRows.Open(_folder.Write("x.npy", Npy("<i4", "(2, 2)", 1, [1, 2, 3, -7])));
        Assert.Contains("x.npy, token 3: -7 is no id", Assert.Throws<TokenDataException>(() => rows.Row(1)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x.npy", "")]
    [InlineData("x.npy", "\u0001\u0002")]
    [InlineData("x.tok", "")]
    [InlineData("x.idx", "MMIDIDX\0\0")]
    [InlineData("x.csv", "1,2,3")]
    public void Garbage_IsRefusedByName(string name, string content)
    {
        _folder.Write("x.bin", "");
        Assert.Contains(name, Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder.Write(name, content))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Export_Npy_IsReadBack()
    {
        int[][] rows = TestFolder.Rows(300, 7, 70_000);
        using var memory = new MemoryTokenRows("d", rows, 70_000);
        TokenRowsExport.Write(memory, _folder["d.npy"], TokenRowsFormat.Npy);
        using ITokenRows read = TokenRows.Open(_folder["d.npy"]);
        Assert.Equal(rows, read.All());
        Assert.Equal(0, (new FileInfo(_folder["d.npy"]).Length - (300 * 7 * 4)) % 64);
    }

    [Fact]
    public void Export_ShardsAndMds_AreReadBackAndNeverOverwrite()
    {
        int[][] rows = TestFolder.Rows(300, 7, 60_000);
        using var memory = new MemoryTokenRows("d", rows, 60_000);
        foreach (TokenRowsFormat format in new[] { TokenRowsFormat.Shards, TokenRowsFormat.Mds })
        {
            string path = _folder[format.ToString()];
            TokenRowsExport.Write(memory, path, format, shardBytes: 1000);
            using ITokenRows read = TokenRows.Open(path);
            Assert.Equal("d", read.Name);
            Assert.Equal(rows, read.All());
            Assert.True(Directory.GetFiles(path).Length > 4);
            Assert.Contains("already", Assert.Throws<TokenDataException>(() => TokenRowsExport.Write(memory, path, format)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Export_Cancelled_LeavesNothing()
    {
        using var memory = new MemoryTokenRows("d", TestFolder.Rows(2000, 7, 60_000), 60_000);
        foreach (TokenRowsFormat format in Enum.GetValues<TokenRowsFormat>())
        {
            using var cancellation = new CancellationTokenSource();
            Assert.Throws<OperationCanceledException>(() => TokenRowsExport.Write(memory, _folder["x/" + format], format, 1000, new Cancel(cancellation), cancellation.Token));
            Assert.Empty(_folder.Files);
        }
    }

    [Fact]
    public void NanoGpt_IsCutIntoRows()
    {
        byte[] bytes = new byte[22];
        for (int i = 0; i < 11; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)(60_000 + i));
        using (ITokenRows rows = TokenRows.Open(_folder.Write("train.bin", bytes), new() { RowLength = 5 }))
            Assert.Equal([[60_000, 60_001, 60_002, 60_003, 60_004], [60_005, 60_006, 60_007, 60_008, 60_009]], rows.All());
        Assert.Contains("21 bytes, which is no whole number of ids", Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder.Write("odd.bin", bytes[1..]), new() { RowLength = 5 })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(20240520, 1, 2)]
    [InlineData(20240801, 7, 4)]
    public void Llmc_IsRead(int magic, int version, int width)
    {
        byte[] bytes = Llmc(magic, version, 6, width);
        using (ITokenRows rows = TokenRows.Open(_folder.Write("x.bin", bytes), new() { RowLength = 3 }))
            Assert.Equal([[100, 101, 102], [103, 104, 105]], rows.All());
        Assert.Contains("expected", Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder.Write("y.bin", Llmc(magic, version + 1, 6, width)), new() { RowLength = 3 })).Message, StringComparison.Ordinal);
        Assert.Contains("announces 6 ids", Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder.Write("z.bin", bytes[..^1]), new() { RowLength = 3 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Llmc_EvaluationFile_IsRefused() =>
        Assert.Contains("evaluation file", Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder.Write("x.bin", Llmc(20240522, 1, 6, 2)), new() { RowLength = 3 })).Message, StringComparison.Ordinal);

    [Fact]
    public void Megatron_DocumentsOrRows()
    {
        Megatron([3, 2, 4, 1], [0, 2, 3, 4]);
        using (ITokenRows documents = TokenRows.Open(_folder["m"]))
            Assert.Equal([[100, 101, 102, 103, 104], [105, 106, 107, 108], [109]], documents.All());
        using (ITokenRows rows = TokenRows.Open(_folder["m.bin"], new() { RowLength = 4 }))
            Assert.Equal([[100, 101, 102, 103], [104, 105, 106, 107]], rows.All());
        using (ITokenRows fromIndex = TokenRows.Open(_folder["m.idx"]))
            Assert.Equal((3, 0, "m"), ((int)fromIndex.Count, fromIndex.RowLength, fromIndex.Name));
    }

    [Theory]
    [InlineData(9, 2, "version 2")]
    [InlineData(17, 6, "type code 6")]
    [InlineData(18, 5, "make an index")]
    [InlineData(25, 0x7F, "make an index")]
    [InlineData(34, 9, "sequence 1 has 2 ids from byte 6")]
    [InlineData(34 + 16 + 8, 7, "sequence 1 has")]
    [InlineData(34 + 16 + 32, 1, "document bound 0 is 1")]
    [InlineData(34 + 16 + 32 + 24, 3, "document bound 3 is 3")]
    public void Megatron_DamagedIndex_IsRefused(int offset, byte value, string expected)
    {
        Megatron([3, 2, 4, 1], [0, 2, 3, 4]);
        byte[] index = File.ReadAllBytes(_folder["m.idx"]);
        index[offset] = value;
        _folder.Write("m.idx", index);
        string message = Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder["m"])).Message;
        Assert.Contains("m.idx", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Megatron_ShortData_IsRefused()
    {
        Megatron([3, 2, 4, 1], [0, 2, 3, 4]);
        _folder.Write("m.bin", new byte[18]);
        Assert.Contains("m.bin has 18 bytes", Assert.Throws<TokenDataException>(() => TokenRows.Open(_folder["m"])).Message, StringComparison.Ordinal);
    }

    private void Megatron(int[] lengths, long[] documents)
    {
        using var index = new MemoryStream();
        using var writer = new BinaryWriter(index);
        writer.Write("MMIDIDX\0\0"u8);
        writer.Write(1L);
        writer.Write((byte)8);
        writer.Write((long)lengths.Length);
        writer.Write((long)documents.Length);
        foreach (int length in lengths)
            writer.Write(length);
        for (int i = 0; i < lengths.Length; i++)
            writer.Write(2L * lengths[..i].Sum());
        foreach (long document in documents)
            writer.Write(document);
        _folder.Write("m.idx", index.ToArray());
        _folder.Write("m.bin", [.. Enumerable.Range(0, lengths.Sum()).SelectMany(i => new byte[] { (byte)(100 + i), 0 })]);
    }

    private static byte[] Llmc(int magic, int version, int count, int width)
    {
        byte[] bytes = new byte[1024 + (count * width)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), count);
        for (int i = 0; i < count; i++)
            bytes[1024 + (i * width)] = (byte)(100 + i);
        return bytes;
    }

    private static byte[] Npy(string descr, string shape, int version, int[] values)
    {
        string text = $"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}";
        int prefix = version == 1 ? 10 : 12;
        text = text.PadRight(128 - prefix - 1) + "\n";
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes(text.Length);
        int width = descr[2] - '0';
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. Encoding.ASCII.GetBytes(text), .. values.SelectMany(v => BitConverter.GetBytes((long)v)[..width])];
    }

    private sealed class Cancel(CancellationTokenSource cancellation) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => cancellation.Cancel();
    }
}
