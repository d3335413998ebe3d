// Where the official writer puts everything: a pure function from names, types and shapes to header bytes and offsets.
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace LlmShearing.Checkpoints;

/// <summary>Header bytes and tensor offsets of a file to be written, byte for byte as the reference implementation lays them out.</summary>
internal sealed class SafetensorsLayout
{
    private static readonly ImmutableSortedDictionary<string, string> PyTorchFormat =
        ImmutableSortedDictionary<string, string>.Empty.Add("format", "pt");

    private SafetensorsLayout(ImmutableArray<SafetensorsEntry> entries, byte[] header, long dataLength) =>
        (Entries, Header, DataLength) = (entries, header, dataLength);

    /// <summary>Tensors in the order of their data, with offsets.</summary>
    public ImmutableArray<SafetensorsEntry> Entries { get; }

    /// <summary>The 8 length bytes and the padded JSON.</summary>
    public byte[] Header { get; }

    public long DataLength { get; }

    public long FileLength => Header.Length + DataLength;

    /// <param name="tensors">Names must be distinct and not empty.</param>
    /// <param name="metadata">Null means <c>format: pt</c>, without which transformers refuses a file.</param>
    /// <param name="path">File name for messages.</param>
    public static SafetensorsLayout Create(IEnumerable<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string>? metadata, string path)
    {
        // Widest type first, then by the bytes of the name: every tensor ends up aligned to its element size within the data.
        SafetensorsEntry[] sorted = [.. tensors];
        Array.Sort(sorted, (a, b) => a.Dtype != b.Dtype ? b.Dtype.CompareTo(a.Dtype) : CompareUtf8(a.Name, b.Name));
        var entries = ImmutableArray.CreateBuilder<SafetensorsEntry>(sorted.Length);
        var names = new HashSet<string>(StringComparer.Ordinal);
        long offset = 0;
        foreach (SafetensorsEntry entry in sorted)
        {
            if (entry.Name.Length == 0 || entry.Name == "__metadata__" || !names.Add(entry.Name))
                throw new ArgumentException($"'{path}': '{entry.Name}' is empty, reserved or given twice as the name of a tensor.", nameof(tensors));
            long bytes = ByteLength(entry);
            entries.Add(entry with { Offset = offset, ByteLength = bytes });
            offset = checked(offset + bytes);
        }

        return new SafetensorsLayout(entries.ToImmutable(), MakeHeader(entries, metadata ?? PyTorchFormat, path), offset);
    }

    private static byte[] MakeHeader(IEnumerable<SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata, string path)
    {
        var json = new StringBuilder("{");
        if (metadata.Count > 0)
        {
            json.Append("\"__metadata__\":{");
            foreach ((string key, string value) in metadata.OrderBy(e => e.Key, StringComparer.Ordinal))
            {
                AppendString(json, key).Append(':');
                AppendString(json, value).Append(',');
            }

            json[^1] = '}';
            json.Append(',');
        }

        foreach (SafetensorsEntry e in entries)
        {
            AppendString(json, e.Name).Append(CultureInfo.InvariantCulture, $":{{\"dtype\":\"{e.Dtype.FormatName()}\",\"shape\":[");
            json.AppendJoin(',', e.Shape).Append(CultureInfo.InvariantCulture, $"],\"data_offsets\":[{e.Offset},{e.Offset + e.ByteLength}]}},");
        }

        if (json[^1] == ',')
            json.Length--;
        json.Append('}');
        byte[] text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(json.ToString());
        int padded = (text.Length + 7) / 8 * 8;
        if (padded > SafetensorsHeader.MaxLength)
            throw new CheckpointException($"'{path}' would need a header of {padded} bytes; at most {SafetensorsHeader.MaxLength} are allowed. Use more shards.", path);
        byte[] header = new byte[8 + padded];
        BinaryPrimitives.WriteInt64LittleEndian(header, padded);
        text.CopyTo(header, 8);
        header.AsSpan(8 + text.Length).Fill((byte)' ');
        return header;
    }

    /// <summary>Escapes only quotation mark, backslash and control characters, as the reference writer does.</summary>
    private static StringBuilder AppendString(StringBuilder json, string text)
    {
        json.Append('"');
        foreach (char c in text)
            _ = c switch
            {
                '"' => json.Append("\\\""),
                '\\' => json.Append("\\\\"),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                < ' ' => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        return json.Append('"');
    }

    private static long ByteLength(SafetensorsEntry entry)
    {
        long bits = checked(entry.ElementCount * entry.Dtype.Bits());
        return bits % 8 == 0 && entry.Shape.All(d => d >= 0)
            ? bits / 8
            : throw new ArgumentException($"'{entry.Name}' ({entry.Dtype.FormatName()} [{string.Join(", ", entry.Shape)}]) has a negative size or does not fill whole bytes.");
    }

    // Ordinal comparison of UTF-16 differs from that of UTF-8 only above U+FFFF, where surrogates sort before U+E000.
    private static int CompareUtf8(string a, string b)
    {
        int common = 0;
        while (common < a.Length && common < b.Length && a[common] == b[common])
            common++;
        if (common == a.Length || common == b.Length)
            return a.Length.CompareTo(b.Length);
        char x = a[common], y = b[common];
        return char.IsSurrogate(x) != char.IsSurrogate(y) ? (char.IsSurrogate(x) ? 1 : -1) : x.CompareTo(y);
    }
}
