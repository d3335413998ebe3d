using System.Text.Json.Nodes;
using LlmShearing.Files;
using LlmShearing.Testing;
using LlmShearing.Training.Telemetry;

namespace LlmShearing.Training.Tests.Telemetry;

public sealed class TensorBoardWriterTests
{
    private const string Folder = "eval/tensorboard";
    private const string TorchWriter = "tensorboard.summary.writer.event_file_writer";

    private static JsonObject Expected => JsonNode.Parse(File.ReadAllText(Goldens.Path($"{Folder}/expected.json")))!.AsObject();

    [GoldenFact($"{Folder}/expected.json")]
    public void Crc32C_GoldenVectors_AreEqual()
    {
        foreach (JsonNode? vector in Expected["crc"]!.AsArray())
        {
            byte[] data = Convert.FromHexString((string)vector!["text_hex"]!);
            Assert.Equal((string)vector["crc32c"]!, Crc32C.Compute(data).ToString("x8"));
            Assert.Equal((string)vector["masked"]!, Crc32C.Masked(data).ToString("x8"));
            int half = data.Length / 3;
            Assert.Equal(Crc32C.Compute(data), Crc32C.Compute(data.AsSpan(half), Crc32C.Compute(data.AsSpan(0, half))));
        }
    }

    [GoldenTheory($"{Folder}/scalars.tfevents")]
    [InlineData("scalars")]
    [InlineData("many")]
    [InlineData("add_scalars_sub1")]
    public void Scalars_OfAGoldenFile_GivesItsBytes(string name)
    {
        string path = Goldens.Path($"{Folder}/{name}.tfevents");
        IReadOnlyList<TensorBoardEvent> events = EventFile.Read(path);
        var clock = new Clock { Now = events[0].WallTime };
        using var output = new MemoryStream();
        using (var writer = new TensorBoardWriter(output, clock, TorchWriter))
        {
            foreach (TensorBoardEvent e in events.Skip(1))
            {
                clock.Now = e.WallTime;
                writer.Scalars(e.Step, e.Values.Select(v => (v.Tag, v.Value!.Value)));
            }
        }

        Assert.Equal(File.ReadAllBytes(path), output.ToArray());
    }

    [GoldenTheory($"{Folder}/expected.json")]
    [InlineData("scalars")]
    [InlineData("scalars_new_style")]
    [InlineData("text")]
    [InlineData("add_scalars_sub1")]
    public void Reader_OfAGoldenFile_FindsItsValues(string name)
    {
        JsonArray records = Expected["files"]!.AsArray().Single(f => (string)f!["file"]! == $"{name}.tfevents")!["records"]!.AsArray();
        IReadOnlyList<TensorBoardEvent> events = EventFile.Read(Goldens.Path($"{Folder}/{name}.tfevents"));
        Assert.Equal(records.Count, events.Count);
        for (int i = 0; i < records.Count; i++)
        {
            Assert.Equal((double)records[i]!["wall_time"]!, events[i].WallTime);
            Assert.Equal((long)records[i]!["step"]!, events[i].Step);
            Assert.Equal((string?)records[i]!["file_version"], events[i].FileVersion);
            JsonArray values = records[i]!["values"]?.AsArray() ?? [];
            Assert.Equal(values.Select(v => (string)v!["tag"]!), events[i].Values.Select(v => v.Tag));
            foreach ((JsonNode? expected, (_, double? actual)) in values.Zip(events[i].Values))
                if ((string)expected!["kind"]! == "simple_value")
                    Assert.Equal((string)expected["float_bits"]!, BitConverter.SingleToUInt32Bits(float.IsNaN((float)actual!) ? BitConverter.UInt32BitsToSingle(0x7FC00000) : (float)actual!).ToString("x8"));
        }
    }

    [GoldenFact($"{Folder}/expected.json")]
    public void Reader_OfDamagedFiles_StopsWhereTensorBoardDoes()
    {
        IReadOnlyList<TensorBoardEvent> whole = EventFile.Read(Goldens.Path($"{Folder}/many.tfevents"));
        foreach (JsonNode? damaged in Expected["damaged"]!.AsArray())
        {
            IReadOnlyList<TensorBoardEvent> events = EventFile.Read(Goldens.Path($"{Folder}/{(string)damaged!["file"]!}"));
            Assert.Equal((int)damaged["events_read_by_tensorboard"]!, events.Count);
            Assert.Equal(whole.Take(events.Count).Select(e => (e.WallTime, e.Step)), events.Select(e => (e.WallTime, e.Step)));
        }
    }

    [Fact]
    public void Create_SeveralInAFolder_AreFilesOfTheirOwn()
    {
        using var folder = new TemporaryFolder();
        var clock = new Clock { Now = 1_700_000_000.5 };
        using (TensorBoardWriter first = TensorBoardWriter.Create(folder["tb"], clock))
            first.Scalars(3, ("a/b", 0.25), ("c", double.NaN));
        using (TensorBoardWriter second = TensorBoardWriter.Create(folder["tb"], clock))
        {
            second.Restart(3);
            second.Scalars(4);
        }

        string[] files = [.. Directory.GetFiles(folder["tb"]).Order(StringComparer.Ordinal)];
        Assert.Equal(2, files.Length);
        Assert.StartsWith($"events.out.tfevents.1700000000.{Environment.MachineName}.", Path.GetFileName(files[0]));
        IReadOnlyList<TensorBoardEvent> one = EventFile.Read(files[0]), two = EventFile.Read(files[1]);
        Assert.Equal(("brain.Event:2", "LlmShearing", 1_700_000_000.5), (one[0].FileVersion, one[0].Writer, one[0].WallTime));
        Assert.Equal([("a/b", 0.25), ("c", double.NaN)], one[1].Values.Select(v => (v.Tag, v.Value!.Value)));
        Assert.Equal((3, true, 2), (two[1].Step, two[1].IsStart, two.Count));
    }

    [Fact]
    public void Histogram_OfFiveValues_HasTheirMomentsAndCounts()
    {
        using var folder = new TemporaryFolder();
        using (TensorBoardWriter board = TensorBoardWriter.Create(folder["tb"], new Clock { Now = 1 }))
            board.Histogram(7, "scores", [0, 3, 3, double.NaN, 1.5, 0.05]);
        byte[] file = File.ReadAllBytes(Directory.GetFiles(folder["tb"]).Single());
        // The last record: 12 bytes of framing, the event, 4 bytes of checksum. The histogram closes it: 3 + 30 * 8 bytes of limits, then of counts.
        double At(int fromEnd) => BitConverter.ToDouble(file, file.Length - 4 - fromEnd);
        double[] counts = [.. Enumerable.Range(0, 30).Select(i => At((30 - i) * 8))], limits = [.. Enumerable.Range(0, 30).Select(i => At(((60 - i) * 8) + 3))];
        Assert.Equal((2, 1, 2, 5), (counts[0], counts[15], counts[29], counts.Sum()));
        Assert.Equal((0.1, 3), (Math.Round(limits[0], 12), limits[29]));
        double[] head = [.. Enumerable.Range(0, 5).Select(i => At((60 * 8) + 6 + ((5 - i) * 9) - 1))];   // key and value of min, max, num, sum, sum_squares
        Assert.Equal([0, 3, 5, 7.55, 20.2525], head.Select(v => Math.Round(v, 12)));
        Assert.Equal(7, EventFile.Read(Directory.GetFiles(folder["tb"]).Single())[^1].Step);
    }

    private sealed class Clock : TimeProvider
    {
        public double Now { get; set; }

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks((long)(Now * TimeSpan.TicksPerSecond));
    }
}
