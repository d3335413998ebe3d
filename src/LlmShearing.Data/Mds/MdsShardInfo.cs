// index.json of an MDS data set (mosaicml-streaming, version 2). Only what agrees with itself gets through.
using LlmShearing.Json;

namespace LlmShearing.Data.Mds;

/// <param name="File">Path relative to the index, inside its folder.</param>
/// <param name="Bytes">Size.</param>
/// <param name="Hashes">Digests in hex by algorithm.</param>
internal sealed record MdsFileInfo(string File, long Bytes, IReadOnlyDictionary<string, string> Hashes);

/// <param name="Columns">In the order of the samples.</param>
/// <param name="Samples">How many samples the shard has.</param>
/// <param name="Raw">The shard itself.</param>
/// <param name="Zip">The compressed shard, which is then what lies on the disk; null when not compressed.</param>
/// <param name="Compression">gz, br, zstd, bz2 or snappy; null when not compressed.</param>
/// <param name="HashNames">Algorithms that every file should have a digest of.</param>
internal sealed record MdsShardInfo(IReadOnlyList<MdsColumn> Columns, int Samples, MdsFileInfo Raw, MdsFileInfo? Zip, string? Compression, IReadOnlyList<string> HashNames)
{
    private const long MaxIndexBytes = 1L << 30;
    private const int MaxShards = 10_000_000;
    private const int MaxColumns = 10_000;
    private static readonly string[] Compressions = ["br", "bz2", "gz", "snappy", "zstd"];

    public MdsFileInfo OnDisk => Zip ?? Raw;

    public static IReadOnlyList<MdsShardInfo> LoadIndex(string path) => StrictJson.ReadFile(path, MaxIndexBytes, (message, cause) => new TokenDataException(message, cause), json =>
    {
        json.Int("version", 2, 2);
        MdsShardInfo[] shards = [.. json.Objects("shards", MaxShards).Select(Read)];
        foreach ((int i, MdsShardInfo shard) in shards.Index())
            if (!shard.Columns.Select(c => (c.Name, c.Encoding)).SequenceEqual(shards[0].Columns.Select(c => (c.Name, c.Encoding))))
                throw json.Error($"shards[{i}].column_names", "the columns are not those of the first shard");
        return shards;
    });

    /// <summary>The columns that an index or a shard's own header states.</summary>
    public static IReadOnlyList<MdsColumn> ReadColumns(StrictJson json)
    {
        string[] names = json.Texts("column_names", MaxColumns);
        string[] encodings = json.Texts("column_encodings", MaxColumns);
        long?[] sizes = json.LongsOrNull("column_sizes", MaxColumns);
        if (names.Length == 0 || encodings.Length != names.Length || sizes.Length != names.Length)
            throw json.Error("column_names", $"{names.Length} names, {encodings.Length} encodings and {sizes.Length} sizes; expected equally many, at least one");
        for (int i = 1; i < names.Length; i++)
            if (string.CompareOrdinal(names[i - 1], names[i]) >= 0)
                throw json.Error("column_names", $"'{names[i]}' comes after '{names[i - 1]}'; expected names in order, each once");
        var columns = new MdsColumn[names.Length];
        for (int i = 0; i < names.Length; i++)
        {
            columns[i] = MdsColumn.Parse(names[i], encodings[i]);
            if (columns[i].FixedBytes != sizes[i])
                throw json.Error($"column_sizes[{i}]", $"expected {columns[i].FixedBytes?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null"} for the encoding {encodings[i]}, found {sizes[i]?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null"}");
        }

        return columns;
    }

    private static MdsShardInfo Read(StrictJson json)
    {
        if (json.Text("format") is var format && format != "mds")
            throw json.Error("format", $"expected \"mds\", found \"{format}\"");
        json.Int("version", 2, 2);
        string? compression = json.TextOrNull("compression")?.Split(':')[0];
        if (compression is not null && !Compressions.Contains(compression))
            throw json.Error("compression", $"'{compression}' is unknown; known: {string.Join(", ", Compressions)}");
        MdsFileInfo? zip = json.Has("zip_data") ? ReadFile(json, "zip_data") : null;
        if ((compression is null) != (zip is null))
            throw json.Error("zip_data", compression is null ? "is there although compression is null" : $"is missing although compression is {compression}");
        return new MdsShardInfo(ReadColumns(json), json.Int("samples", 0, int.MaxValue), ReadFile(json, "raw_data"), zip, compression, json.Texts("hashes", MaxColumns));
    }

    private static MdsFileInfo ReadFile(StrictJson shard, string name)
    {
        StrictJson json = shard.Object(name);
        string file = json.Text("basename");
        // Base names of a merged index have folders in them, but none may lead elsewhere.
        if (file.Length == 0 || Path.IsPathRooted(file) || file.Contains(':', StringComparison.Ordinal) || file.Contains('\0', StringComparison.Ordinal) || file.Split('/', '\\').Any(part => part is "" or "." or ".."))
            throw json.Error("basename", $"'{file}' is not inside the data set's folder");
        return new MdsFileInfo(file, json.Long("bytes", 0), json.TextMap("hashes"));
    }
}
