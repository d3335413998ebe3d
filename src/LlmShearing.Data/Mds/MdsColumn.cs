// How a column of an MDS data set is stored, by the name of its encoding.
using System.Globalization;

namespace LlmShearing.Data.Mds;

internal enum MdsKind
{
    Bytes,
    Text,
    Integer,
    Float,
    TextInteger,
    TextFloat,
    TextDecimal,
    Json,
    Array,
}

/// <summary>A number type of MDS.</summary>
/// <param name="Name">Its NumPy name.</param>
/// <param name="Code">The byte that stands for it in arrays.</param>
/// <param name="Bytes">Bytes a value.</param>
/// <param name="IsFloat">Whether it has a fraction.</param>
/// <param name="IsSigned">Whether it can be negative.</param>
internal sealed record MdsDtype(string Name, byte Code, int Bytes, bool IsFloat, bool IsSigned)
{
    private static readonly MdsDtype[] All =
    [
        new("uint8", 8, 1, false, false), new("int8", 9, 1, false, true), new("uint16", 16, 2, false, false), new("int16", 17, 2, false, true),
        new("uint32", 32, 4, false, false), new("int32", 33, 4, false, true), new("uint64", 64, 8, false, false), new("int64", 65, 8, false, true),
        new("float16", 18, 2, true, true), new("float32", 34, 4, true, true), new("float64", 66, 8, true, true),
    ];

    public static MdsDtype? Of(string name) => Array.Find(All, d => d.Name == name);

    public static MdsDtype? Of(byte code) => Array.Find(All, d => d.Code == code);
}

/// <param name="Name">Column name.</param>
/// <param name="Encoding">Encoding as the index names it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Dtype">Type of the numbers, when the encoding says so.</param>
/// <param name="Shape">Shape of arrays, when the encoding says so.</param>
/// <param name="FixedBytes">Size of every value; null when values differ.</param>
internal sealed record MdsColumn(string Name, string Encoding, MdsKind Kind, MdsDtype? Dtype, long[]? Shape, long? FixedBytes)
{
    /// <exception cref="FormatException">The encoding is unknown, unsafe or not supported.</exception>
    public static MdsColumn Parse(string name, string encoding)
    {
        MdsColumn Variable(MdsKind kind) => new(name, encoding, kind, null, null, null);
        if (encoding == "int")
            return new MdsColumn(name, encoding, MdsKind.Integer, MdsDtype.Of("int64"), null, 8);
        if (MdsDtype.Of(encoding) is { } scalar)
            return new MdsColumn(name, encoding, scalar.IsFloat ? MdsKind.Float : MdsKind.Integer, scalar, null, scalar.Bytes);
        if (encoding == "ndarray" || encoding.StartsWith("ndarray:", StringComparison.Ordinal))
            return ParseArray(name, encoding);
        return encoding switch
        {
            "bytes" => Variable(MdsKind.Bytes),
            "str" => Variable(MdsKind.Text),
            "str_int" => Variable(MdsKind.TextInteger),
            "str_float" => Variable(MdsKind.TextFloat),
            "str_decimal" => Variable(MdsKind.TextDecimal),
            "json" => Variable(MdsKind.Json),
            "pkl" => throw new FormatException($"column '{name}' has the encoding pkl, a Python pickle, which can run any code when read. It is refused; write the column as bytes or ndarray"),
            "pil" or "jpeg" or "png" or "jpeg_array" or "list[pil]" or "list[jpeg]" or "list[png]" =>
                throw new FormatException($"column '{name}' has the encoding {encoding}, an image, which is not supported"),
            _ => throw new FormatException($"column '{name}' has the encoding '{encoding}', which is unknown"),
        };
    }

    private static MdsColumn ParseArray(string name, string encoding)
    {
        string[] parts = encoding.Split(':');
        MdsDtype? dtype = parts.Length > 1 ? MdsDtype.Of(parts[1]) : null;
        if (parts.Length > 3 || (parts.Length > 1 && dtype is null))
            throw new FormatException($"column '{name}' has the encoding '{encoding}', which is unknown");
        if (parts.Length < 3)
            return new MdsColumn(name, encoding, MdsKind.Array, dtype, null, null);
        long[] shape = [.. parts[2].Split(',').Select(d => long.TryParse(d, NumberStyles.None, CultureInfo.InvariantCulture, out long n) && n is > 0 and < int.MaxValue ? n
            : throw new FormatException($"column '{name}' has the encoding '{encoding}', whose shape is not valid"))];
        Int128 bytes = shape.Aggregate((Int128)dtype!.Bytes, (product, n) => Int128.Min(product * n, long.MaxValue));
        return bytes < int.MaxValue
            ? new MdsColumn(name, encoding, MdsKind.Array, dtype, shape, (long)bytes)
            : throw new FormatException($"column '{name}' has the encoding '{encoding}', whose values are larger than 2 GiB");
    }
}
