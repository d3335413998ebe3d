// Token rows of every format.
using System.Globalization;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Mds;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;

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
        foreach ((string kind, Func<byte[], byte[]> pack) in Packing.Mds)
        {
            string zip = Path.Combine("rows", $"{Mds[1]}.{kind}");
            yield return new($"mds-{kind}-json", Path.Combine("rows", Mds[0]), FuzzShape.Json, f => WriteArrays(f, "ndarray:uint16", kind, pack), f => Read(Path.Combine(f, "rows"), null));
            // The index knows the size of the damaged shard, so that damage gets past the first check.
            yield return new($"mds-{kind}-shard", zip, FuzzShape.Bytes, f => WriteArrays(f, "ndarray:uint16", kind, pack), f =>
            {
                if (Copies.IsFile(Path.Combine(f, zip)))
                    File.WriteAllText(Path.Combine(f, "rows", Mds[0]), File.ReadAllText(Path.Combine(f, "valid.json")).Replace("\"ZIPPED\"", new FileInfo(Path.Combine(f, zip)).Length.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
                Read(Path.Combine(f, "rows"), null);
            });
        }

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

    /// <summary>Writes two domains of rows that a small model can be trained on, in the folder <c>rows</c>.</summary>
    public static void Domains(string folder)
    {
        foreach (string domain in new[] { "a", "b" })
        {
            string shard = Path.Combine(folder, domain + ".tok");
            using (var writer = new TokenShardWriter(shard, domain, 8, 50))
            {
                for (int row = 0; row < 8; row++)
                    writer.Write([.. Enumerable.Range(row, 8)]);
                writer.Complete();
            }

            using ITokenRows rows = TokenRows.Open(shard);
            TokenRowsExport.Write(rows, Path.Combine(folder, "rows", domain), TokenRowsFormat.Shards);
        }
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
    private static void WriteArrays(string folder, string encoding, string? compression = null, Func<byte[], byte[]>? pack = null)
    {
        byte[] sample = encoding switch
        {
            "ndarray:int32:4" => FuzzReaders.Numbers(4, 1, 2, 3, 4),
            "ndarray:uint16" => [4, 4, .. FuzzReaders.Numbers(2, 1, 2, 3, 4)],
            _ => [16, 4, 4, .. FuzzReaders.Numbers(2, 1, 2, 3, 4)],
        };
        string size = encoding == "ndarray:int32:4" ? "16" : "null";
        string columns = $"\"column_encodings\": [\"{encoding}\"], \"column_names\": [\"tokens\"], \"column_sizes\": [{size}], \"compression\": COMPRESSION, \"format\": \"mds\", \"hashes\": [], \"size_limit\": 1000, \"version\": 2";
        byte[] config = FuzzReaders.Ascii("{" + columns.Replace("COMPRESSION", "null", StringComparison.Ordinal) + "}");
        byte[] one = size == "null" ? [.. FuzzReaders.Numbers(4, sample.Length), .. sample] : sample;
        int start = 4 + 12 + config.Length;
        byte[] shard = [.. FuzzReaders.Numbers(4, 2, start, start + one.Length, start + (2 * one.Length)), .. config, .. one, .. one];
        Directory.CreateDirectory(Path.Combine(folder, "rows"));
        string onDisk = pack is null ? Mds[1] : $"{Mds[1]}.{compression}";
        byte[] written = pack is null ? shard : pack(shard);
        File.WriteAllBytes(Path.Combine(folder, "rows", onDisk), written);
        string zip = pack is null ? "null" : $"{{\"basename\": \"{onDisk}\", \"bytes\": \"ZIPPED\", \"hashes\": {{}}}}";
        string index = "{\"shards\": [{" + columns.Replace("COMPRESSION", compression is null ? "null" : $"\"{compression}\"", StringComparison.Ordinal)
            + $", \"raw_data\": {{\"basename\": \"{Mds[1]}\", \"bytes\": {shard.Length}, \"hashes\": {{}}}}, \"samples\": 2, \"zip_data\": {zip}}}], \"version\": 2}}";
        File.WriteAllText(Path.Combine(folder, "valid.json"), index);
        File.WriteAllText(Path.Combine(folder, "rows", Mds[0]), index.Replace("\"ZIPPED\"", written.Length.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
    }

    private static void Megatron(string folder)
    {
        File.WriteAllBytes(Path.Combine(folder, "a.bin"), FuzzReaders.Numbers(2, 1, 2, 3, 4, 5, 6, 7, 8));
        File.WriteAllBytes(Path.Combine(folder, "a.idx"),
            [.. "MMIDIDX\0\0"u8, .. FuzzReaders.Numbers(8, 1), 8, .. FuzzReaders.Numbers(8, 2, 3), .. FuzzReaders.Numbers(4, 3, 5), .. FuzzReaders.Numbers(8, 0, 6), .. FuzzReaders.Numbers(8, 0, 1, 2)]);
    }
}
