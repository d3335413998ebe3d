// Compressed bytes of every kind that is read.
using System.IO.Compression;
using LlmShearing.Data.Compression;

namespace LlmShearing.Fuzz.Tests;

internal static class Packing
{
    /// <summary>Those of text files, by the end of the name; zst only where the machine can read it.</summary>
    public static IEnumerable<(string Name, Func<byte[], byte[]> Pack)> Text => Zstd.IsAvailable ? [("gz", GZip), ("zst", RawZstd)] : [("gz", GZip)];

    /// <summary>Those of MDS shards, by the name that the index has for them.</summary>
    public static IEnumerable<(string Name, Func<byte[], byte[]> Pack)> Mds => Zstd.IsAvailable ? [("gz", GZip), ("br", Brotli), ("zstd", RawZstd)] : [("gz", GZip), ("br", Brotli)];

    private static byte[] GZip(byte[] content) => Through(content, m => new GZipStream(m, CompressionLevel.Optimal));

    private static byte[] Brotli(byte[] content) => Through(content, m => new BrotliStream(m, CompressionLevel.Optimal));

    // One frame with its size, one block that is not compressed.
    private static byte[] RawZstd(byte[] content) =>
        [0x28, 0xb5, 0x2f, 0xfd, .. content.Length < 256 ? [0x20, (byte)content.Length] : (byte[])[0x60, .. FuzzReaders.Numbers(2, content.Length - 256)], .. FuzzReaders.Numbers(3, (content.Length << 3) | 1), .. content];

    private static byte[] Through(byte[] content, Func<Stream, Stream> pack)
    {
        using var memory = new MemoryStream();
        using (Stream packed = pack(memory))
            packed.Write(content);
        return memory.ToArray();
    }
}
