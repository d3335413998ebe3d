// MDS data sets whose ids are raw bytes of any width, as people write them: nothing in the files says which width.
using System.Buffers.Binary;
using System.Text;

namespace LlmShearing.Testing;

/// <summary>Writes one shard without compression with the column <c>tokens</c>.</summary>
public static class RawMds
{
    /// <summary>Ids as little-endian integers.</summary>
    /// <param name="width">Bytes of an id.</param>
    /// <param name="ids">The ids.</param>
    public static byte[] Bytes(int width, IEnumerable<int> ids) => [.. ids.SelectMany(id =>
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, id);
        return bytes[..width];
    })];

    /// <summary>Writes the folder: the count, where each sample begins, the header, the samples; and the index.</summary>
    /// <param name="folder">The folder; is made.</param>
    /// <param name="width">Bytes of an id.</param>
    /// <param name="rows">The rows.</param>
    public static void Write(string folder, int width, int[][] rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        const string header = """{"column_encodings": ["bytes"], "column_names": ["tokens"], "column_sizes": [null]}""";
        byte[][] samples = [.. rows.Select(r => Bytes(width, r)).Select(b => (byte[])[.. BitConverter.GetBytes(b.Length), .. b])];
        var shard = new List<byte>(BitConverter.GetBytes(rows.Length));
        int at = 4 + (4 * (rows.Length + 1)) + header.Length;
        foreach (byte[] sample in samples.Append([]))
        {
            shard.AddRange(BitConverter.GetBytes(at));
            at += sample.Length;
        }

        shard.AddRange(Encoding.ASCII.GetBytes(header));
        foreach (byte[] sample in samples)
            shard.AddRange(sample);
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "shard.00000.mds"), [.. shard]);
        File.WriteAllText(Path.Combine(folder, "index.json"), $$$"""
            {"shards": [{"column_encodings": ["bytes"], "column_names": ["tokens"], "column_sizes": [null], "compression": null, "format": "mds", "hashes": [],
             "raw_data": {"basename": "shard.00000.mds", "bytes": {{{shard.Count}}}, "hashes": {}}, "samples": {{{rows.Length}}}, "size_limit": 67108864, "version": 2, "zip_data": null}], "version": 2}
            """);
    }
}
