using System.Text.Json.Nodes;
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;
using LlmShearing.Data.Tests.Corpus;

namespace LlmShearing.Data.Tests.Formats;

/// <summary>Files behind symbolic links are the files that they lead to.</summary>
public sealed class LinkedFilesTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Corpus_ChangedBehindLinks_IsNotTakenAsDone()
    {
        _folder.Write("store/a.txt", "0123456789");
        Directory.CreateDirectory(_folder["in/d"]);
        File.CreateSymbolicLink(_folder["store/second.txt"], "a.txt");
        Directory.CreateSymbolicLink(_folder["elsewhere"], "store");
        File.CreateSymbolicLink(_folder["in/d/a.txt"], "../../elsewhere/second.txt");
        Tokenize();
        Assert.Equal(10, TokenShardIndex.Load(_folder["out/d/index.json"]).Sources[0].Bytes);
        Assert.Equal(1, Tokenize().Domains[0].FilesSkipped);
        _folder.Write("store/a.txt", "9876543210");
        File.SetLastWriteTimeUtc(_folder["store/a.txt"], DateTime.UtcNow.AddHours(1));
        Assert.Contains("other files", Assert.Throws<TokenDataException>(Tokenize).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Corpus_BrokenLink_IsNamed()
    {
        Directory.CreateDirectory(_folder["in/d"]);
        File.CreateSymbolicLink(_folder["in/d/a.txt"], "nowhere.txt");
        Assert.Contains("symbolic link", Assert.Throws<TokenDataException>(Tokenize).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_BehindLinks_HaveTheSizesOfTheFiles()
    {
        int[][] rows = [[1000, 2, 3000, 4], [5000, 6, 7000, 8]];
        using (var source = new MemoryTokenRows("d", rows))
            TokenRowsExport.Write(source, _folder["mds"], TokenRowsFormat.Mds);
        Directory.CreateDirectory(_folder["linked"]);
        foreach (string file in Directory.GetFiles(_folder["mds"]))
            File.CreateSymbolicLink(Path.Combine(_folder["linked"], Path.GetFileName(file)), file);
        using (ITokenRows linked = TokenRows.Open(_folder["linked"]))
            Assert.Equal(2, linked.Count);
        File.WriteAllBytes(_folder["ids.bin"], [.. rows.SelectMany(r => r).SelectMany(i => BitConverter.GetBytes((ushort)i))]);
        File.CreateSymbolicLink(_folder["link.bin"], "ids.bin");
        using ITokenRows stream = TokenRows.Open(_folder["link.bin"], new TokenRowsOptions { RowLength = 4 });
        Assert.Equal(16, (long)((JsonObject)stream.Describe()["files"]![0]!)["bytes"]!);
    }

    private CorpusReport Tokenize() => new CorpusTokenizer(new ByteTokenizer(), new CorpusTokenizerOptions { RowLength = 4 }).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder["out"]);
}
