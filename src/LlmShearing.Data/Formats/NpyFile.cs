// NumPy .npy files of token ids: [rows, length], or one dimension as a stream.
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;
using LlmShearing.Files;

namespace LlmShearing.Data.Formats;

internal static partial class NpyFile
{
    private const int MaxHeaderBytes = 1 << 16;
    private const int Alignment = 64;

    public static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    public static ITokenRows Open(string path, TokenRowsOptions options)
    {
        (string text, long start, long fileBytes) = ReadHeader(path);
        string descr = Field(path, text, "descr", DescrPattern());
        TokenDtype dtype = descr switch
        {
            "|u1" => TokenDtype.UInt8,
            "<u2" => TokenDtype.UInt16,
            "<u4" => TokenDtype.UInt32,
            "<i4" => TokenDtype.Int32,
            "<u8" => TokenDtype.UInt64,
            "<i8" => TokenDtype.Int64,
            _ => throw new TokenDataException($"{path}: type {descr}; expected little-endian integers: |u1, <u2, <u4, <i4, <u8 or <i8."),
        };
        long[] shape = [.. Field(path, text, "shape", ShapePattern()).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(d =>
            long.TryParse(d, NumberStyles.None, CultureInfo.InvariantCulture, out long n) ? n : throw new TokenDataException($"{path}: '{d}' in its shape is no number."))];
        if (shape.Length is not (1 or 2))
            throw new TokenDataException($"{path}: an array of {shape.Length} dimensions; expected [rows, length] or one stream of ids.");
        if (shape.Length == 2 && Field(path, text, "fortran_order", FortranPattern()) == "True")
            throw new TokenDataException($"{path} is stored column by column (fortran_order); save it with numpy.ascontiguousarray.");
        Int128 expected = start + (shape.Aggregate((Int128)1, (a, n) => Int128.Min(a * n, long.MaxValue)) * dtype.Bytes());
        if (expected != fileBytes)
            throw new TokenDataException($"{path}: shape ({string.Join(", ", shape)}) of {descr} makes a file of {expected} bytes; it has {fileBytes}. It is cut short or damaged.");
        if (shape.Length == 2 && (shape[1] is 0 or > int.MaxValue || (options.RowLength is { } wanted && wanted != shape[1])))
            throw new TokenDataException($"{path} has rows of {shape[1]} ids; expected {options.RowLength?.ToString(CultureInfo.InvariantCulture) ?? "1 or more"}.");
        int rowLength = shape.Length == 2 ? (int)shape[1] : TokenStreams.RowLength(path, options);
        var tokens = new MappedTokens(path, start, shape.Aggregate((a, n) => a * n), dtype, options.VocabularySize ?? int.MaxValue);
        return new MappedTokenRows(options.Name ?? Path.GetFileNameWithoutExtension(path), "npy", tokens, rowLength, null, options.VocabularySize, path);
    }

    /// <summary>Writes rows as one array of uint16, or of uint32 when the vocabulary asks for it, as numpy.save does.</summary>
    public static void Write(string path, ITokenRows rows, IEnumerable<long> order, CancellationToken cancellationToken)
    {
        TokenDtype dtype = TokenShardHeader.DtypeFor(rows.VocabularySize ?? int.MaxValue);
        int length = rows.RowLength;
        AtomicFile.Write(path, stream =>
        {
            string text = FormattableString.Invariant($"{{'descr': '{(dtype == TokenDtype.UInt16 ? "<u2" : "<u4")}', 'fortran_order': False, 'shape': ({rows.Count}, {length}), }}");
            int unpadded = Magic.Length + 4 + text.Length + 1;
            text = text.PadRight(text.Length + ((Alignment - (unpadded % Alignment)) % Alignment)) + "\n";
            stream.Write(Magic);
            stream.Write([1, 0, (byte)text.Length, (byte)(text.Length >> 8)]);
            stream.Write(Encoding.ASCII.GetBytes(text));
            int[] ids = new int[length];
            byte[] bytes = new byte[length * dtype.Bytes()];
            foreach (long row in order)
            {
                cancellationToken.ThrowIfCancellationRequested();
                rows.Read(row, ids);
                dtype.Narrow(ids, bytes);
                stream.Write(bytes);
            }
        });
    }

    private static (string Text, long Start, long FileBytes) ReadHeader(string path)
    {
        using FileStream file = TokenStreams.OpenFile(path);
        Span<byte> fixedPart = stackalloc byte[12];
        int read = file.ReadAtLeast(fixedPart, fixedPart.Length, throwOnEndOfStream: false);
        int major = read > 6 ? fixedPart[6] : 0;
        if (read < fixedPart.Length || !fixedPart.StartsWith(Magic) || major is < 1 or > 3)
            throw new TokenDataException($"{path} is no .npy file of version 1, 2 or 3.");
        long start = major == 1 ? 10 : 12;
        long length = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(fixedPart[8..]) : BinaryPrimitives.ReadUInt32LittleEndian(fixedPart[8..]);
        if (length > MaxHeaderBytes || start + length > file.Length)
            throw new TokenDataException($"{path}: a header of {length} bytes does not fit into the file of {file.Length}. It is cut short or damaged.");
        byte[] text = new byte[length];
        file.Position = start;
        file.ReadExactly(text);
        return (Encoding.UTF8.GetString(text), start + length, file.Length);
    }

    private static string Field(string path, string header, string name, Regex pattern) =>
        pattern.Match(header) is { Success: true } match ? match.Groups[1].Value : throw new TokenDataException($"{path}: its header has no valid '{name}'.");

    [GeneratedRegex(@"'descr'\s*:\s*'([^']*)'")]
    private static partial Regex DescrPattern();

    [GeneratedRegex(@"'fortran_order'\s*:\s*(True|False)")]
    private static partial Regex FortranPattern();

    [GeneratedRegex(@"'shape'\s*:\s*\(([^)]*)\)")]
    private static partial Regex ShapePattern();
}
