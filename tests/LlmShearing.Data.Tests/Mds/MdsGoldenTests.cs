// Every valid and every damaged data set of the reference, written and damaged with mosaicml-streaming itself.
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Mds;
using LlmShearing.Data.Rows;
using LlmShearing.Testing;

namespace LlmShearing.Data.Tests.Mds;

public sealed class MdsGoldenTests
{
    private const string Valid = "shearing/mds/valid/expected.json";
    private const string Corrupt = "shearing/mds/corrupt/cases.json";

    public static TheoryData<string> ValidFolders => Keys(Valid, json => json);

    // Those whose samples are all ids.
    public static TheoryData<string> TokenFolders => Keys(Valid, json => new(json
        .Where(c => IsReadable(c.Key) && c.Value!["samples"]!.AsArray() is { Count: > 0 } samples && samples.All(s => Ids(s!) is not null))
        .Select(c => KeyValuePair.Create(c.Key, (JsonNode?)null))));

    public static TheoryData<string> CorruptFolders => Keys(Corrupt, json => json["cases"]!.AsObject());

    [GoldenTheory(Valid)]
    [MemberData(nameof(ValidFolders))]
    public void Valid_SamplesAreThoseWritten(string folder)
    {
        JsonObject expected = Load(Valid)[folder]!.AsObject();
        string path = Goldens.Path("shearing/mds/" + folder);
        if (!IsReadable(folder))
        {
            using MdsDataset packed = MdsDataset.Open(path);
            Assert.Contains("which is not supported: gz, br and zstd are", Assert.Throws<TokenDataException>(() => packed.Read(0)).Message, StringComparison.Ordinal);
            return;
        }

        using MdsDataset data = MdsDataset.Open(path);
        Assert.Equal((int)expected["count"]!, data.Count);
        if (data.Count > 0)
            Assert.Equal(expected["columns"]!.AsObject().ToDictionary(c => c.Key, c => (string)c.Value!), data.Columns);
        data.Verify();
        JsonArray samples = expected["samples"]!.AsArray();
        // Backwards, so that nothing depends on reading in order.
        for (int i = samples.Count - 1; i >= 0; i--)
        {
            IReadOnlyDictionary<string, object> sample = data.Read(i);
            JsonObject values = samples[i]!.AsObject();
            Assert.Equal(values.Count, sample.Count);
            foreach ((string column, JsonNode? value) in values)
                AssertValue(value!, sample[column], (string?)expected["tokens_dtype"], $"sample {i}, {column}");
        }
    }

    [GoldenTheory(Valid)]
    [MemberData(nameof(TokenFolders))]
    public void Valid_AsTokenRows(string folder)
    {
        JsonObject expected = Load(Valid)[folder]!.AsObject();
        int[][] ids = [.. expected["samples"]!.AsArray().Select(s => Ids(s!)!.Deserialize<int[]>()!)];
        TokenDtype? dtype = (string?)expected["tokens_dtype"] is { } name ? Enum.Parse<TokenDtype>(name, ignoreCase: true) : null;
        using ITokenRows rows = TokenRows.Open(Goldens.Path("shearing/mds/" + folder), new TokenRowsOptions { Dtype = dtype });
        Assert.Equal(ids, rows.All());
        Assert.Equal(ids.Select(r => r.Length).Distinct().ToArray() is [var same] ? same : 0, rows.RowLength);
    }

    [GoldenTheory(Corrupt)]
    [MemberData(nameof(CorruptFolders))]
    public void Corrupt_IsNoticedAsAStrictReaderShould(string folder)
    {
        JsonObject @case = Load(Corrupt)["cases"]![folder]!.AsObject();
        string path = Goldens.Path("shearing/mds/corrupt/" + folder);
        Check((bool?)@case["strict_reader_fails_without_hashes"], () => ReadAll(path));
        Check((bool?)@case["strict_reader_fails_with_hashes"], () =>
        {
            using (MdsDataset data = MdsDataset.Open(path))
                data.Verify();
            ReadAll(path);
        });
    }

    [GoldenFact("shearing/mds/corrupt/index-basename-outside", "shearing/mds/corrupt/index-encoding-pickle")]
    public void Dangerous_IsRefusedWhenOpening()
    {
        Assert.Contains("'../_intact-plain/shard.00000.mds' is not inside", Refused("index-basename-outside"), StringComparison.Ordinal);
        Assert.Contains("pkl, a Python pickle", Refused("index-encoding-pickle"), StringComparison.Ordinal);
        Assert.Contains("index-samples-negative", Refused("index-samples-negative"), StringComparison.Ordinal);

        static string Refused(string folder) => Assert.Throws<TokenDataException>(() => MdsDataset.Open(Goldens.Path("shearing/mds/corrupt/" + folder))).Message;
    }

    [GoldenTheory(Valid)]
    [InlineData("valid/tokens-plain/cc", "cc", 600, "sha1,xxh64")]
    [InlineData("valid/tokens-plain/github", "github", 600, "sha1,xxh64")]
    [InlineData("valid/tokens-plain/c4-rp", "c4-rp", 600, "sha1,xxh64")]
    [InlineData("valid/tokens-ragged", "r", 1024, "")]
    [InlineData("valid/empty-first-shard", null, 300, "sha1")]
    public void Writer_WritesTheSameBytes(string folder, string? set, long sizeLimit, string hashes)
    {
        string path = Goldens.Path("shearing/mds/" + folder);
        using var output = new TestFolder();
        using (ITokenRows rows = TokenRows.Open(path))
        using (var writer = new MdsWriter(output.Path, set ?? rows.Name, sizeLimit, hashes.Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            foreach (int[] row in rows.All())
                writer.Write(row);
            writer.Complete();
        }

        string[] names = [.. Directory.GetFiles(path).Select(f => Path.GetFileName(f)).Order()];
        Assert.Equal(names, output.Files);
        foreach (string name in names)
            Assert.Equal(File.ReadAllBytes(Path.Combine(path, name)), File.ReadAllBytes(output[name]));
    }

    private static void ReadAll(string path)
    {
        using ITokenRows rows = TokenRows.Open(path);
        rows.All();
        using MdsDataset data = MdsDataset.Open(path);
        for (long i = 0; i < data.Count; i++)
            data.Read(i);
    }

    private static void Check(bool? fails, Action read)
    {
        Exception? error = Record.Exception(read);
        if (error is not null)
            Assert.IsType<TokenDataException>(error);
        if (fails is not null)
            Assert.Equal(fails, error is not null);
    }

    private static void AssertValue(JsonNode expected, object actual, string? tokensDtype, string place)
    {
        if (expected is JsonObject special && special.ContainsKey("hex"))
            Assert.Equal((string)special["hex"]!, Convert.ToHexStringLower((byte[])actual));
        else if (expected is JsonObject ids && ids.ContainsKey("ids"))
            Assert.Equal(ids["ids"]!.Deserialize<long[]>()!, Ids((byte[])actual, tokensDtype!));
        else if (expected is JsonObject array && array.ContainsKey("dtype") && actual is MdsArray found)
        {
            Assert.Equal((string)array["dtype"]!, found.Dtype);
            Assert.Equal(array["shape"]!.Deserialize<long[]>()!, found.Shape);
            Assert.Equal(array["values"]!.AsArray().Count, found.Values.Count);
            for (int i = 0; i < found.Values.Count; i++)
                AssertNumber(array["values"]![i]!, found.Values[i], place);
        }
        else if (expected is JsonObject number && (number["decimal"] ?? number["integer"]) is { } text)
            Assert.Equal((string)text!, actual is BigInteger big ? big.ToString(CultureInfo.InvariantCulture) : (string)actual);
        else if (actual is JsonNode json)
            Assert.True(JsonNode.DeepEquals(expected, json), place);
        else if (actual is string s)
            Assert.Equal((string)expected!, s);
        else
            AssertNumber(expected, actual, place);
    }

    private static void AssertNumber(JsonNode expected, object actual, string place)
    {
        if (actual is double real)
        {
            double wanted = expected.GetValueKind() == JsonValueKind.String ? double.Parse((string)expected!, CultureInfo.InvariantCulture) : (double)expected!;
            Assert.True(wanted.Equals(real) && (double.IsNaN(wanted) || double.IsNegative(wanted) == double.IsNegative(real)), $"{place}: expected {wanted}, found {real}");
        }
        else
            Assert.Equal(expected.ToJsonString(), Convert.ToString(actual, CultureInfo.InvariantCulture));
    }

    private static long[] Ids(byte[] bytes, string dtype) => dtype == "int64"
        ? [.. bytes.Chunk(8).Select(b => BitConverter.ToInt64(b))]
        : [.. bytes.Chunk(2).Select(b => (long)BitConverter.ToUInt16(b))];

    private static JsonObject Load(string relative) => JsonNode.Parse(File.ReadAllText(Goldens.Path(relative)))!.AsObject();

    private static bool IsReadable(string folder) => !folder.EndsWith("bz2", StringComparison.Ordinal) && !folder.EndsWith("snappy", StringComparison.Ordinal);

    private static JsonArray? Ids(JsonNode sample) => sample["tokens"] is JsonObject tokens ? (tokens["ids"] ?? tokens["values"]) as JsonArray : null;

    private static TheoryData<string> Keys(string relative, Func<JsonObject, JsonObject> select)
    {
        var keys = new TheoryData<string>();
        if (Goldens.TryPath(relative) is null)
            keys.Add("absent");
        else
            foreach ((string key, _) in select(Load(relative)))
                keys.Add(key);
        return keys;
    }
}
