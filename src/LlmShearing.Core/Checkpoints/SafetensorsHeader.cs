// Reads the JSON header of a safetensors file by hand, token by token: no document tree, so that a header of millions of names
// costs no more than its entries, and every rule (duplicates, positional forms, unknown fields) is checked where it is broken.
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using LlmShearing.Json;

namespace LlmShearing.Checkpoints;

/// <summary>The parsed and validated header of one file.</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Largest header in bytes, as in the reference implementation.</summary>
    public const long MaxLength = 100_000_000;

    private SafetensorsHeader(ImmutableArray<SafetensorsEntry> entries, ImmutableSortedDictionary<string, string> metadata) =>
        (Entries, Metadata) = (entries, metadata);

    /// <summary>Tensors in the order of their data.</summary>
    public ImmutableArray<SafetensorsEntry> Entries { get; }

    public ImmutableSortedDictionary<string, string> Metadata { get; }

    /// <param name="json">The header bytes, padding included.</param>
    /// <param name="dataLength">Bytes of the file after the header.</param>
    /// <param name="path">File name for messages.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataLength, string path)
    {
        RequireUtf8(json, path);
        List<Raw> tensors;
        ImmutableSortedDictionary<string, string> metadata;
        try
        {
            (tensors, metadata) = ReadObject(json);
        }
        catch (Exception e) when (e is JsonException or HeaderFormatException)
        {
            throw new SafetensorsException(SafetensorsError.InvalidHeaderDeserialization, $"'{path}': the header is not valid: {e.Message}", path, e);
        }

        return new SafetensorsHeader(Place(tensors, dataLength, path), metadata);
    }

    private static void RequireUtf8(ReadOnlySpan<byte> json, string path)
    {
        if (!System.Text.Unicode.Utf8.IsValid(json))
            throw new SafetensorsException(SafetensorsError.InvalidHeader, $"'{path}': the header is not UTF-8 text. The file is damaged or is no safetensors file.", path);
    }

    private static (List<Raw> Tensors, ImmutableSortedDictionary<string, string> Metadata) ReadObject(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        var tensors = new List<Raw>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var metadata = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);
        Expect(ref reader, JsonTokenType.StartObject, "the header");
        while (Next(ref reader) != JsonTokenType.EndObject)
        {
            string name = SafeJson.Text(ref reader);
            if (name.Length == 0)
                throw new HeaderFormatException("a tensor has an empty name.");
            if (!names.Add(name))
                throw new HeaderFormatException($"'{name}' occurs twice.");
            if (name == "__metadata__")
                metadata = ReadMetadata(ref reader);
            else
                tensors.Add(ReadTensor(ref reader, name));
        }

        // Reading past the end lets the reader refuse anything but white space.
        reader.Read();
        return (tensors, metadata);
    }

    private static ImmutableSortedDictionary<string, string> ReadMetadata(ref Utf8JsonReader reader)
    {
        var map = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        if (Next(ref reader) == JsonTokenType.Null)
            return map.ToImmutable();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new HeaderFormatException("__metadata__ is not an object.");
        while (Next(ref reader) != JsonTokenType.EndObject)
        {
            string key = SafeJson.Text(ref reader);
            if (Next(ref reader) != JsonTokenType.String)
                throw new HeaderFormatException($"the metadata value '{key}' is not a string.");
            if (!map.TryAdd(key, SafeJson.Text(ref reader)))
                throw new HeaderFormatException($"the metadata key '{key}' occurs twice.");
        }

        return map.ToImmutable();
    }

    private static Raw ReadTensor(ref Utf8JsonReader reader, string name)
    {
        SafetensorsDtype? dtype = null;
        List<ulong>? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, $"the entry of '{name}'");
        while (Next(ref reader) != JsonTokenType.EndObject)
        {
            string field = SafeJson.Text(ref reader);
            if (field switch { "dtype" => dtype is not null, "shape" => shape is not null, "data_offsets" => offsets is not null, _ => false })
                throw new HeaderFormatException($"'{name}' has the field '{field}' twice.");
            switch (field)
            {
                case "dtype":
                    if (Next(ref reader) != JsonTokenType.String || !SafetensorsDtypes.TryParse(SafeJson.Text(ref reader), out SafetensorsDtype found))
                        throw new HeaderFormatException($"'{name}' has an unknown dtype.");
                    dtype = found;
                    break;
                case "shape":
                    shape = ReadNumbers(ref reader, name, field);
                    break;
                case "data_offsets":
                    offsets = ReadNumbers(ref reader, name, field);
                    break;
                default:
                    throw new HeaderFormatException($"'{name}' has an unknown field '{field}'.");
            }
        }

        if (dtype is null || shape is null || offsets is null)
            throw new HeaderFormatException($"'{name}' needs dtype, shape and data_offsets.");
        if (offsets.Count != 2)
            throw new HeaderFormatException($"'{name}' has {offsets.Count} data_offsets; expected 2.");
        return new Raw(name, dtype.Value, shape, offsets[0], offsets[1]);
    }

    private static List<ulong> ReadNumbers(ref Utf8JsonReader reader, string name, string field)
    {
        var numbers = new List<ulong>();
        Expect(ref reader, JsonTokenType.StartArray, $"{field} of '{name}'");
        while (Next(ref reader) != JsonTokenType.EndArray)
        {
            // Only plain digits are whole numbers here: 2.0, 2e0 and -0 are refused, as by the reference reader.
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetUInt64(out ulong value) || !IsDigits(reader.ValueSpan))
                throw new HeaderFormatException($"{field} of '{name}' has an entry that is not a whole number of 64 bits.");
            numbers.Add(value);
        }

        return numbers;
    }

    private static bool IsDigits(ReadOnlySpan<byte> text) => text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;

    private static JsonTokenType Next(ref Utf8JsonReader reader) =>
        reader.Read() ? reader.TokenType : throw new HeaderFormatException("it ends too early.");

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string what)
    {
        if (Next(ref reader) != type)
            throw new HeaderFormatException($"{what} is not {(type == JsonTokenType.StartArray ? "an array" : "an object")}.");
    }

    /// <summary>Sorts by range and checks that the ranges tile the data exactly and that shapes fit them.</summary>
    private static ImmutableArray<SafetensorsEntry> Place(List<Raw> tensors, long dataLength, string path)
    {
        tensors.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        var entries = ImmutableArray.CreateBuilder<SafetensorsEntry>(tensors.Count);
        ulong start = 0;
        foreach (Raw t in tensors)
        {
            if (t.Begin != start || t.End < t.Begin)
                throw new SafetensorsException(SafetensorsError.InvalidOffset, $"'{path}': the data of '{t.Name}' is at [{t.Begin}, {t.End}), but the next free byte is {start}. Tensors must follow each other without gap or overlap.", path);
            start = t.End;
            ulong bytes = ByteLength(t, path);
            if (t.End - t.Begin != bytes)
                throw new SafetensorsException(SafetensorsError.TensorInvalidInfo, $"'{path}': '{t.Name}' ({t.Dtype.FormatName()} [{string.Join(", ", t.Shape)}]) needs {bytes} bytes, but its range has {t.End - t.Begin}.", path);
            entries.Add(new SafetensorsEntry(t.Name, t.Dtype, [.. t.Shape.Select(d => (long)d)]) { Offset = (long)t.Begin, ByteLength = (long)bytes });
        }

        if (start != (ulong)dataLength)
            throw new SafetensorsException(SafetensorsError.MetadataIncompleteBuffer, $"'{path}': the header describes {start} bytes of data, but the file has {dataLength}. It is truncated or has bytes too many; copy it again.", path);
        return entries.ToImmutable();
    }

    private static ulong ByteLength(Raw t, string path)
    {
        UInt128 product = 1;
        foreach (ulong d in t.Shape)
        {
            product *= d;
            if (product > ulong.MaxValue || d > long.MaxValue)
                throw Overflow(t, path);
        }

        product *= (uint)t.Dtype.Bits();
        if (product > ulong.MaxValue)
            throw Overflow(t, path);
        if (product % 8 != 0)
            throw new SafetensorsException(SafetensorsError.MisalignedSlice, $"'{path}': '{t.Name}' ({t.Dtype.FormatName()} [{string.Join(", ", t.Shape)}]) does not fill whole bytes.", path);
        return (ulong)(product / 8);
    }

    private static SafetensorsException Overflow(Raw t, string path) => new(
        SafetensorsError.ValidationOverflow, $"'{path}': the shape [{string.Join(", ", t.Shape)}] of '{t.Name}' has more elements than 64 bits can count.", path);

    private readonly record struct Raw(string Name, SafetensorsDtype Dtype, List<ulong> Shape, ulong Begin, ulong End);

    private sealed class HeaderFormatException(string message) : Exception(message);
}
