// Token rows of every format.
using LlmShearing.Data;

namespace LlmShearing.Fuzz.Tests;

internal static class RowReaders
{
    private static readonly string[] Mds = ["index.json", "shard.00000.mds"];

    public static IEnumerable<FuzzReader> All()
    {
        yield return new("shard", "a.tok", FuzzShape.Bytes, f =>
        {
            using var writer = new TokenShardWriter(Path.Combine(f, "a.tok"), "d", 4, 100);
            writer.Write([1, 2, 3, 4]);
            writer.Write([5, 6, 7, 8]);
            writer.Complete();
        }, f => Read(Path.Combine(f, "a.tok"), null));
        yield return new("row-manifest", Path.Combine("rows", "index.json"), FuzzShape.Json, f => Export(f, TokenRowsFormat.Shards), f => Read(Path.Combine(f, "rows"), null));
        foreach (string file in Mds)
            yield return new("mds-" + Path.GetExtension(file)[1..], Path.Combine("rows", file), file == Mds[0] ? FuzzShape.Json : FuzzShape.Bytes, WriteMds, f => Read(Path.Combine(f, "rows"), null));
        foreach (string type in new[] { "ndarray:uint16", "ndarray", "ndarray:int32:4" })
            foreach (string file in Mds)
                yield return new($"mds-{type.Replace(':', '-')}-{Path.GetExtension(file)[1..]}", Path.Combine("rows", file), file == Mds[0] ? FuzzShape.Json : FuzzShape.Bytes,
                    f => WriteArrays(f, type), f => Read(Path.Combine(f, "rows"), null));
        yield return new("npy", "a.npy", FuzzShape.Bytes, f => Export(f, TokenRowsFormat.Npy), f => Read(Path.Combine(f, "a.npy"), null));
        foreach (string file in new[] { "a.idx", "a.bin" })
            yield return new("megatron-" + file[2..], file, FuzzShape.Bytes, Megatron, f =>
            {
                Read(Path.Combine(f, "a.idx"), null);
                Read(Path.Combine(f, "a.idx"), 4);
            });
        yield return FuzzReaders.Binary("llmc", "a.bin", [.. FuzzReaders.Numbers(4, 20240520, 1, 8), .. new byte[1012], .. FuzzReaders.Numbers(2, 1, 2, 3, 4, 5, 6, 7, 8)], f => Read(f, 4));
        yield return FuzzReaders.Binary("headerless", "a.bin", FuzzReaders.Numbers(2, 1, 2, 3, 4, 5, 6, 7, 8), f => Read(f, 4));
    }

    private static void Read(string path, int? length)
    {
        using ITokenRows rows = TokenRows.Open(path, new TokenRowsOptions { RowLength = length });
        for (long row = 0; row < Math.Min(rows.Count, 100); row++)
            if (rows.Length(row) is var ids and < 1 << 20)
                rows.Read(row, new int[ids]);
        rows.Describe();
    }

    private static void Export(string folder, TokenRowsFormat format)
    {
        string shard = Path.Combine(folder, "s.tok");
        using (var writer = new TokenShardWriter(shard, "d", 4, 100))
        {
            writer.Write([1, 2, 3, 4]);
            writer.Write([5, 6, 7, 8]);
            writer.Complete();
        }

        using ITokenRows rows = TokenRows.Open(shard);
        TokenRowsExport.Write(rows, Path.Combine(folder, format == TokenRowsFormat.Npy ? "a.npy" : "rows"), format);
    }

    private static void WriteMds(string folder)
    {
        using var writer = new MdsWriter(Path.Combine(folder, "rows"), "d", MdsWriter.DefaultSizeLimit, "xxh64");
        writer.Write([1, 2, 3, 4]);
        writer.Write([5, 6, 7, 8]);
        writer.Complete();
    }

    // A data set of one column, without hashes, so that damage of its bytes reaches what reads the arrays.
    private static void WriteArrays(string folder, string encoding)
    {
        byte[] sample = encoding switch
        {
            "ndarray:int32:4" => FuzzReaders.Numbers(4, 1, 2, 3, 4),
            "ndarray:uint16" => [4, 4, .. FuzzReaders.Numbers(2, 1, 2, 3, 4)],
            _ => [16, 4, 4, .. FuzzReaders.Numbers(2, 1, 2, 3, 4)],
        };
        string size = encoding == "ndarray:int32:4" ? "16" : "null";
        string columns = $"\"column_encodings\": [\"{encoding}\"], \"column_names\": [\"tokens\"], \"column_sizes\": [{size}], \"compression\": null, \"format\": \"mds\", \"hashes\": [], \"size_limit\": 1000, \"version\": 2";
        byte[] config = FuzzReaders.Ascii("{" + columns + "}");
        byte[] one = size == "null" ? [.. FuzzReaders.Numbers(4, sample.Length), .. sample] : sample;
        int start = 4 + 12 + config.Length;
        byte[] shard = [.. FuzzReaders.Numbers(4, 2, start, start + one.Length, start + (2 * one.Length)), .. config, .. one, .. one];
        Directory.CreateDirectory(Path.Combine(folder, "rows"));
        File.WriteAllBytes(Path.Combine(folder, "rows", Mds[1]), shard);
        File.WriteAllText(Path.Combine(folder, "rows", Mds[0]),
            "{\"shards\": [{" + columns + $", \"raw_data\": {{\"basename\": \"{Mds[1]}\", \"bytes\": {shard.Length}, \"hashes\": {{}}}}, \"samples\": 2, \"zip_data\": null}}], \"version\": 2}}");
    }

    private static void Megatron(string folder)
    {
        File.WriteAllBytes(Path.Combine(folder, "a.bin"), FuzzReaders.Numbers(2, 1, 2, 3, 4, 5, 6, 7, 8));
        File.WriteAllBytes(Path.Combine(folder, "a.idx"),
            [.. "MMIDIDX\0\0"u8, .. FuzzReaders.Numbers(8, 1), 8, .. FuzzReaders.Numbers(8, 2, 3), .. FuzzReaders.Numbers(4, 3, 5), .. FuzzReaders.Numbers(8, 0, 6), .. FuzzReaders.Numbers(8, 0, 1, 2)]);
    }
}
