// The values of one MDS sample, by encoding.
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Data.Mds;

internal static class MdsValues
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Where each column of a sample begins, and where the last one ends.</summary>
    /// <exception cref="FormatException">The sizes do not fill the sample.</exception>
    public static void Split(IReadOnlyList<MdsColumn> columns, ReadOnlySpan<byte> sample, Span<long> starts)
    {
        int words = columns.Count(c => c.FixedBytes is null);
        if (sample.Length < 4 * words)
            throw new FormatException($"{sample.Length} bytes, too few for the sizes of {words} columns");
        long at = 4 * words;
        int word = 0;
        for (int i = 0; i < columns.Count; i++)
        {
            starts[i] = at;
            at += columns[i].FixedBytes ?? BinaryPrimitives.ReadUInt32LittleEndian(sample[(4 * word++)..]);
        }

        starts[columns.Count] = at;
        if (at != sample.Length)
            throw new FormatException($"the columns take {at} bytes, the sample has {sample.Length}");
    }

    /// <exception cref="FormatException">The bytes are no value of this column.</exception>
    public static object Decode(MdsColumn column, ReadOnlySpan<byte> data)
    {
        try
        {
            return column.Kind switch
            {
                MdsKind.Bytes => data.ToArray(),
                MdsKind.Text => Strict.GetString(data),
                MdsKind.Integer => Integer(column.Dtype!, data),
                MdsKind.Float => Float(column.Dtype!, data),
                MdsKind.TextInteger => BigInteger.Parse(Strict.GetString(data), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
                MdsKind.TextFloat => PythonFloat(Strict.GetString(data)),
                MdsKind.TextDecimal => Decimal(Strict.GetString(data)),
                MdsKind.Json => SafeJson.Node(data) ?? JsonValue.Create((string?)null)!,
                _ => MdsArrayReader.Read(column, data),
            };
        }
        catch (Exception e) when (e is DecoderFallbackException or JsonException or FormatException or OverflowException)
        {
            throw new FormatException($"column '{column.Name}' is no valid {column.Encoding}: {e.Message}", e);
        }
    }

    /// <summary>A long, or a ulong for uint64.</summary>
    public static object Integer(MdsDtype dtype, ReadOnlySpan<byte> data) => dtype.Name switch
    {
        "uint8" => (long)data[0],
        "int8" => (long)(sbyte)data[0],
        "uint16" => (long)BinaryPrimitives.ReadUInt16LittleEndian(data),
        "int16" => (long)BinaryPrimitives.ReadInt16LittleEndian(data),
        "uint32" => (long)BinaryPrimitives.ReadUInt32LittleEndian(data),
        "int32" => (long)BinaryPrimitives.ReadInt32LittleEndian(data),
        "uint64" => BinaryPrimitives.ReadUInt64LittleEndian(data),
        _ => BinaryPrimitives.ReadInt64LittleEndian(data),
    };

    public static double Float(MdsDtype dtype, ReadOnlySpan<byte> data) => dtype.Bytes switch
    {
        2 => (double)BinaryPrimitives.ReadHalfLittleEndian(data),
        4 => BinaryPrimitives.ReadSingleLittleEndian(data),
        _ => BinaryPrimitives.ReadDoubleLittleEndian(data),
    };

    private static double PythonFloat(string text) => text switch
    {
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        "nan" => double.NaN,
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };

    // Decimals of Python have any number of digits, so they stay text; what is no number is refused.
    private static string Decimal(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _) || text is "NaN" or "Infinity" or "-Infinity" ? text : throw new FormatException($"'{text}' is no number");
}
