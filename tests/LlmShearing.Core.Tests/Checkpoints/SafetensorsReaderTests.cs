using LlmShearing.Checkpoints;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Checkpoints;

public class SafetensorsReaderTests
{
    private const string Folder = "safetensors";

    /// <summary>Files that the reference reader accepts and this one refuses on purpose, with the error given.</summary>
    private static readonly Dictionary<string, SafetensorsError> Stricter = new()
    {
        ["28_dup_key_same"] = SafetensorsError.InvalidHeaderDeserialization,        // duplicate tensor name
        ["30_dup_key_second_ok"] = SafetensorsError.InvalidHeaderDeserialization,   // duplicate tensor name
        ["32_extra_field"] = SafetensorsError.InvalidHeaderDeserialization,         // unknown field
        ["45_zero_times_huge"] = SafetensorsError.ValidationOverflow,               // dimension above 2^63 - 1
        ["56_meta_dup_inner"] = SafetensorsError.InvalidHeaderDeserialization,      // duplicate metadata key
        ["63_empty_name"] = SafetensorsError.InvalidHeaderDeserialization,          // empty tensor name
        ["73_info_array_form"] = SafetensorsError.InvalidHeaderDeserialization,     // entry as an array
    };

    /// <summary>Files that both refuse, this one earlier because a stricter rule comes first.</summary>
    private static readonly Dictionary<string, SafetensorsError> Earlier = new()
    {
        ["29_dup_key_diff"] = SafetensorsError.InvalidHeaderDeserialization,
    };

    public static TheoryData<string, string> Verdicts()
    {
        var data = new TheoryData<string, string>();
        foreach (string line in Goldens.TryPath(Folder) is string root ? File.ReadAllLines(Path.Combine(root, "official-verdicts.txt")) : [])
            data.Add(line[..line.IndexOf(':')], line[(line.IndexOf(':') + 2)..]);
        return data;
    }

    [GoldenFact(Folder)]
    public void Open_OfficialCases_AreAllThere() => Assert.Equal(76, Verdicts().Count);

    [GoldenTheory(Folder)]
    [MemberData(nameof(Verdicts))]
    public void Open_OfficialCase_AgreesOrIsStricter(string name, string verdict)
    {
        string path = Directory.GetFiles(Path.Combine(Goldens.Path(Folder), "cases"), name + "*").Single();
        if (Stricter.TryGetValue(name, out SafetensorsError error))
        {
            Assert.StartsWith("OK", verdict);
        }
        else if (verdict.StartsWith("OK", StringComparison.Ordinal))
        {
            using SafetensorsReader reader = SafetensorsReader.Open(path);
            string[] expected = System.Text.Json.JsonSerializer.Deserialize<string[]>(verdict[3..])!;
            Assert.Equal(expected, reader.Tensors.Select(t => t.Name).Order(StringComparer.Ordinal));
            foreach (SafetensorsEntry entry in reader.Tensors)
            {
                byte[] bytes = new byte[entry.ByteLength];
                reader.Read(entry, 0, bytes);
                Assert.Equal(bytes, reader.GetSpan(entry).ToArray());
            }

            return;
        }
        else if (!Earlier.TryGetValue(name, out error))
        {
            error = Enum.Parse<SafetensorsError>(new string([.. verdict[4..].TakeWhile(char.IsLetter)]));
        }

        SafetensorsException e = Assert.Throws<SafetensorsException>(() => SafetensorsReader.Open(path));
        Assert.Equal(error, e.Error);
        Assert.Contains(Path.GetFileName(path), e.Message);
        Assert.Equal(path, e.Path);
    }

    [Fact]
    public void Open_HugeClaimedHeader_AllocatesNothingForIt()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("a.safetensors", [0x00, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, (byte)'{']);
        Assert.Throws<SafetensorsException>(() => SafetensorsReader.Open(path));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<SafetensorsException>(() => SafetensorsReader.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public void Open_DirectoryInPlaceOfFile_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "model.safetensors");
        Directory.CreateDirectory(path);
        Assert.Contains("model.safetensors", Assert.Throws<CheckpointException>(() => SafetensorsReader.Open(path)).Message);
    }

    [Fact]
    public void Read_FileCutAfterOpening_IsRefused()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.safetensors");
        SafetensorsWriter.WriteAll(path, [("a", SafetensorsDtype.U8, [64], new byte[64])]);
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        using (FileStream f = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            f.SetLength(f.Length - 8);
        Assert.Contains("changed while", Assert.Throws<CheckpointException>(() => reader.Read(reader["a"], 0, new byte[64])).Message);
        Assert.Contains("shorter", Assert.Throws<CheckpointException>(() => reader.GetSpan(reader["a"])).Message);
    }

    [Fact]
    public void GetSpan_RangeOutsideTensor_IsRefused()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.safetensors");
        SafetensorsWriter.WriteAll(path, [("a", SafetensorsDtype.U8, [4], new byte[] { 1, 2, 3, 4 }), ("b", SafetensorsDtype.U8, [4], new byte[] { 5, 6, 7, 8 })]);
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        Assert.Equal([2, 3], reader.GetSpan(reader["a"], 1, 2).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.GetSpan(reader["a"], 1, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.GetSpan(reader["a"], -1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Read(reader["a"], 5, []));
    }
}
