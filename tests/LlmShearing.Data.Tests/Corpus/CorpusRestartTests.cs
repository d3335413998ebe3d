// Runs that were stopped: finished files are kept, the rest is done again, and the rows are those of an undisturbed run.
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Tests.Corpus;

public sealed class CorpusRestartTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string[] _bad;

    public CorpusRestartTests()
    {
        for (int i = 0; i < 6; i++)
            _folder.Write($"in/d/{i}.txt", new string((char)('a' + i), 101 + (i * 37)));
        _bad = [.. Enumerable.Range(0, 6).Select(i => _folder[$"in/d/{i}.txt"])];
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(RowRemainder.Carry, 1 << 20, 3)]
    [InlineData(RowRemainder.Carry, 500, 3)]    // several shards, one of them closed in the middle of the file that fails
    [InlineData(RowRemainder.Carry, 300, 5)]
    [InlineData(RowRemainder.Drop, 500, 1)]
    public void StoppedRun_GoesOnBehindTheLastFinishedFile(RowRemainder remainder, int shardBytes, int failing)
    {
        CorpusTokenizerOptions options = new() { RowLength = 8, Remainder = remainder, ShardBytes = shardBytes };
        Run(options, "whole");
        // The mistake is near the end of a file of several chunks, so that some of its rows are on the disk by then.
        byte[] good = File.ReadAllBytes(_bad[failing]);
        DateTime time = File.GetLastWriteTimeUtc(_bad[failing]);
        File.WriteAllBytes(_bad[failing], [.. good[..^1], 0xFF]);
        Assert.Throws<TokenDataException>(() => Run(options, "out"));
        Assert.True(File.Exists(_folder["out/d/progress.jsonl"]));
        File.WriteAllBytes(_bad[failing], good);
        File.SetLastWriteTimeUtc(_bad[failing], time);
        CorpusDomainReport report = Run(options, "out").Domains[0];
        Assert.Equal(failing, report.FilesSkipped);
        Same("whole", "out");
        Assert.Equal(6, Run(options, "out").Domains[0].FilesSkipped);
    }

    [Fact]
    public void HalfWrittenShardAndJournal_AreCutBack()
    {
        CorpusTokenizerOptions options = new() { RowLength = 8, ShardBytes = 500 };
        Run(options, "whole");
        File.WriteAllBytes(_bad[4], [0xFF]);
        Assert.Throws<TokenDataException>(() => Run(options, "out"));
        _folder.Write("in/d/4.txt", new string('e', 101 + (4 * 37)));
        File.AppendAllText(_folder["out/d/progress.jsonl"], "{\"source\":{\"File\":\"4.txt\",\"Firs");
        File.AppendAllText(Directory.GetFiles(_folder["out/d"], "*.part")[0], "half a row");
        Assert.Equal(4, Run(options, "out").Domains[0].FilesSkipped);
        using (ITokenRows rows = TokenRows.Open(_folder["out/d"]))
            Assert.Equal(TokenRows.Open(_folder["whole/d"]).All(), rows.All());
    }

    [Fact]
    public void LostShard_StartsAgain()
    {
        CorpusTokenizerOptions options = new() { RowLength = 8 };
        Run(options, "whole");
        byte[] good = File.ReadAllBytes(_bad[3]);
        File.WriteAllBytes(_bad[3], [0xFF]);
        Assert.Throws<TokenDataException>(() => Run(options, "out"));
        File.WriteAllBytes(_bad[3], good);
        File.WriteAllBytes(Directory.GetFiles(_folder["out/d"], "*.part")[0], new byte[300]);
        Assert.Equal(0, Run(options, "out").Domains[0].FilesSkipped);
        using ITokenRows rows = TokenRows.Open(_folder["out/d"]);
        Assert.Equal(TokenRows.Open(_folder["whole/d"]).All(), rows.All());
    }

    [Fact]
    public void Cancelled_ThenResumed_IsTheSame()
    {
        CorpusTokenizerOptions options = new() { RowLength = 8, Workers = 1 };
        Run(options, "whole");
        using var cancellation = new CancellationTokenSource();
        var progress = new Reports(p =>
        {
            if (p.Completed > 300)
                cancellation.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() =>
            new CorpusTokenizer(new ByteTokenizer(), options).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder["out"], progress, cancellation.Token));
        Assert.InRange(Run(options, "out").Domains[0].FilesSkipped, 2, 5);
        Same("whole", "out");
    }

    [Fact]
    public void OtherSettingsOrFiles_AreRefusedUnlessOverwriting()
    {
        Run(new() { RowLength = 8 }, "out");
        Assert.Contains("holds rows made with other settings", Assert.Throws<TokenDataException>(() => Run(new() { RowLength = 9 }, "out")).Message, StringComparison.Ordinal);
        File.AppendAllText(_bad[0], "more");
        Assert.Contains("from other files", Assert.Throws<TokenDataException>(() => Run(new() { RowLength = 8 }, "out")).Message, StringComparison.Ordinal);
        Assert.Equal(0, Run(new() { RowLength = 8, Overwrite = true }, "out").Domains[0].FilesSkipped);
        Assert.Throws<TokenDataException>(() => new CorpusTokenizer(new ByteTokenizer { VocabularySize = 300 }, new() { RowLength = 8 }).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder["out"]));
    }

    private CorpusReport Run(CorpusTokenizerOptions options, string output) =>
        new CorpusTokenizer(new ByteTokenizer(), options).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder[output]);

    // Byte for byte, index included: a resumed run leaves no trace.
    private void Same(string expected, string actual)
    {
        string[] names = [.. Directory.GetFiles(_folder[expected + "/d"]).Select(f => Path.GetFileName(f)).Order()];
        Assert.Equal(names, Directory.GetFiles(_folder[actual + "/d"]).Select(f => Path.GetFileName(f)).Order());
        foreach (string name in names)
            Assert.Equal(File.ReadAllBytes(_folder[$"{expected}/d/{name}"]), File.ReadAllBytes(_folder[$"{actual}/d/{name}"]));
    }

    private sealed class Reports(Action<ShearingProgress> report) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => report(value);
    }
}
