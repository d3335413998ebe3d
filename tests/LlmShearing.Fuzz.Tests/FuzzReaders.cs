// All readers under test.
using System.Text;

namespace LlmShearing.Fuzz.Tests;

internal static class FuzzReaders
{
    /// <summary>Every format that the library and the tool read.</summary>
    public static IReadOnlyList<FuzzReader> All { get; } = [.. ModelReaders.All(), .. TokenizerReaders.All(), .. TextReaders.All(), .. RowReaders.All(), .. StateReaders.All(), .. RunReaders.All(), .. ToolReaders.All()];

    /// <summary>A reader of one text file.</summary>
    public static FuzzReader Text(string name, string file, FuzzShape shape, string content, Action<string> read) =>
        new(name, file, shape, f => File.WriteAllText(Path.Combine(f, file), content), f => read(Path.Combine(f, file)));

    /// <summary>A reader of one file.</summary>
    public static FuzzReader Binary(string name, string file, byte[] content, Action<string> read) =>
        new(name, file, FuzzShape.Bytes, f => File.WriteAllBytes(Path.Combine(f, file), content), f => read(Path.Combine(f, file)));

    /// <summary>Numbers one after another, little-endian, each in the given width.</summary>
    public static byte[] Numbers(int width, params long[] numbers) => [.. numbers.SelectMany(n => BitConverter.GetBytes(n).Take(width))];

    /// <summary>The checksum of our own files.</summary>
    public static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        foreach (byte b in bytes)
            sum = System.Numerics.BitOperations.Crc32C(sum, b);
        return ~sum;
    }

    public static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);
}
