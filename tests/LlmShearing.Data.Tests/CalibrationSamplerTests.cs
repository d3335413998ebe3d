// Against the rows and window starts that the original implementation drew (Python's generator).
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using LlmShearing.Data.Calibration;
using LlmShearing.Testing;

namespace LlmShearing.Data.Tests;

public class CalibrationSamplerTests
{
    private const string Folder = "baselines/depth";
    private const int Bos = 1;

    [GoldenTheory(Folder)]
    [MemberData(nameof(Cases))]
    public void FromRows_PapersSeedAndRows_GivesTheirWindows(string name, int seed, int count, int length, bool bosInEvery)
    {
        using JsonDocument rows = Json("rows.json");
        string[] texts = [.. rows.RootElement.GetProperty("calibration_rows").EnumerateArray().Select(r => r.GetString()!)];
        int[] Encode(int row) => [.. bosInEvery ? Array.Empty<int>() : [Bos], .. Encoding.UTF8.GetBytes(texts[row]).Select(b => b + 3)];

        var sampler = new CalibrationSampler(count, length, seed) { LeadingToken = bosInEvery ? Bos : null };
        IReadOnlyList<int[]> windows = sampler.FromRows(texts.Length, Encode);

        Assert.Equal(ReadInt64(name), windows.SelectMany(w => w));
    }

    [Fact]
    public void FromRows_TooFewLongRows_SaysHowMany()
    {
        var error = Assert.Throws<TokenDataException>(() => new CalibrationSampler(3, 4).FromRows(5, row => new int[row < 2 ? 8 : 2]));
        Assert.Equal("Only 2 of 5 rows have at least 4 tokens; 3 are needed. Give more or longer text, fewer samples, or shorter ones.", error.Message);
    }

    [Fact]
    public void FromRows_NoRows_IsRefused() =>
        Assert.Throws<TokenDataException>(() => new CalibrationSampler().FromRows(0, _ => []));

    [Fact]
    public void FromStream_SameSeed_SameWindows()
    {
        int[] ids = [.. Enumerable.Range(0, 50)];
        IReadOnlyList<int[]> first = new CalibrationSampler(4, 8, 7).FromStream(ids);
        Assert.Equal(first, new CalibrationSampler(4, 8, 7).FromStream(ids));
        Assert.NotEqual(first, new CalibrationSampler(4, 8, 8).FromStream(ids));
        Assert.All(first, w => Assert.Equal(Enumerable.Range(w[0], 8), w));
    }

    [Fact]
    public void FromStream_TextExactlyOneWindow_IsThatWindow() =>
        Assert.Equal([1, 2, 3], Assert.Single(new CalibrationSampler(1, 3).FromStream([1, 2, 3])));

    [Fact]
    public void FromStream_TextTooShort_IsRefused() =>
        Assert.Throws<TokenDataException>(() => new CalibrationSampler(1, 4).FromStream([1, 2, 3]));

    public static TheoryData<string, int, int, int, bool> Cases()
    {
        var data = new TheoryData<string, int, int, int, bool>();
        if (Goldens.TryPath(Folder) is null)
            return data;
        using JsonDocument cases = Json("sampler.json");
        foreach (JsonElement c in cases.RootElement.EnumerateArray())
            data.Add(c.GetProperty("name").GetString()!, c.GetProperty("seed").GetInt32(), c.GetProperty("n_samples").GetInt32(), c.GetProperty("seq_len").GetInt32(), c.GetProperty("add_bos_to_every").GetBoolean());
        return data;
    }

    private static JsonDocument Json(string file) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Goldens.Path(Folder), file)));

    private static int[] ReadInt64(string tensor)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(Goldens.Path(Folder), "calib.safetensors"));
        int header = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        using JsonDocument index = JsonDocument.Parse(file.AsMemory(8, header));
        JsonElement offsets = index.RootElement.GetProperty(tensor).GetProperty("data_offsets");
        (int start, int end) = (offsets[0].GetInt32(), offsets[1].GetInt32());
        return [.. MemoryMarshal.Cast<byte, long>(file.AsSpan(8 + header + start, end - start)).ToArray().Select(v => (int)v)];
    }
}
