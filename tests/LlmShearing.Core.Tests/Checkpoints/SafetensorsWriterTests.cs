using LlmShearing.Checkpoints;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Checkpoints;

public class SafetensorsWriterTests
{
    private const string Models = "hf/models";

    public static TheoryData<string> OfficialFiles()
    {
        var data = new TheoryData<string>();
        if (Goldens.TryPath(Models) is string root)
            foreach (string file in Directory.GetFiles(root, "*.safetensors", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                if (!file.Contains("negative", StringComparison.Ordinal))
                    data.Add(Path.GetRelativePath(root, file));
        return data;
    }

    [GoldenTheory(Models)]
    [MemberData(nameof(OfficialFiles))]
    public void Create_TensorsOfAnOfficialFile_GivesTheSameBytes(string name)
    {
        string source = Path.Combine(Goldens.Path(Models), name);
        using var folder = new TemporaryFolder();
        using (SafetensorsReader reader = SafetensorsReader.Open(source))
        {
            IEnumerable<SafetensorsEntry> shuffled = reader.Tensors.Reverse();
            using SafetensorsWriter writer = SafetensorsWriter.Create(folder["copy"], shuffled, reader.Metadata);
            Assert.Equal(reader.Tensors.AsEnumerable(), writer.Tensors.AsEnumerable());
            foreach (SafetensorsEntry entry in writer.Tensors)
                for (int done = 0; done < entry.ByteLength; done += 1000)
                    writer.Write(entry.Name, reader.GetSpan(entry, done, (int)Math.Min(1000, entry.ByteLength - done)));
            writer.Complete();
        }

        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(folder["copy"]));
    }

    [Fact]
    public void WriteAll_NoTensorsNoMetadata_GivesTheOfficialBytes()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.WriteAll(folder["a"], [], new Dictionary<string, string>());
        Assert.Equal([8, 0, 0, 0, 0, 0, 0, 0, .. "{}      "u8.ToArray()], File.ReadAllBytes(folder["a"]));
    }

    [Fact]
    public void WriteAll_OddNamesTypesAndSizes_ComeBack()
    {
        using var folder = new TemporaryFolder();
        (string Name, SafetensorsDtype Dtype, System.Collections.Immutable.ImmutableArray<long> Shape, ReadOnlyMemory<byte> Data)[] tensors =
        [
            ("a\"\\\n\u0001/<+\u00e9\ud83d\ude00", SafetensorsDtype.F32, [1], new byte[] { 1, 2, 3, 4 }),
            ("\ue000", SafetensorsDtype.U8, [3], new byte[] { 5, 6, 7 }),
            ("\ud83d\ude00", SafetensorsDtype.U8, [], new byte[] { 8 }),
            ("empty", SafetensorsDtype.I64, [0, 5], ReadOnlyMemory<byte>.Empty),
        ];
        SafetensorsWriter.WriteAll(folder["a"], tensors);
        using SafetensorsReader reader = SafetensorsReader.Open(folder["a"]);
        Assert.Equal("pt", reader.Metadata["format"]);
        Assert.Equal(["empty", tensors[0].Name, "\ue000", "\ud83d\ude00"], reader.Tensors.Select(t => t.Name).ToArray());
        Assert.All(tensors, t => Assert.Equal(t.Data.ToArray(), reader.GetSpan(reader[t.Name]).ToArray()));
        Assert.Equal(0, reader.DataStart % 8);
    }

    [Fact]
    public void Write_WrongOrderOrTooMuch_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using SafetensorsWriter writer = SafetensorsWriter.Create(folder["a"], [new("a", SafetensorsDtype.U8, [2]), new("b", SafetensorsDtype.U8, [2])]);
        Assert.Throws<InvalidOperationException>(() => writer.Write("b", [1]));
        Assert.Throws<InvalidOperationException>(() => writer.Write("a", [1, 2, 3]));
        writer.Write("a", [1, 2]);
        Assert.Throws<InvalidOperationException>(() => writer.Write("a", [1]));
        Assert.Throws<InvalidOperationException>(writer.Complete);
    }

    [Fact]
    public void Dispose_WithoutComplete_LeavesTheOldFile()
    {
        using var folder = new TemporaryFolder();
        folder.File("a", [42]);
        using (SafetensorsWriter writer = SafetensorsWriter.Create(folder["a"], [new("a", SafetensorsDtype.U8, [2])]))
            writer.Write("a", [1]);
        Assert.Equal([42], File.ReadAllBytes(folder["a"]));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Create_SameNameTwice_IsRefused()
    {
        using var folder = new TemporaryFolder();
        SafetensorsEntry a = new("a", SafetensorsDtype.U8, [2]);
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Create(folder["a"], [a, a]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Create(folder["a"], [a with { Name = "" }]));
        Assert.Throws<CheckpointException>(() => SafetensorsWriter.Create(folder["no/such/folder"], [a]));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }
}
