// Streams of ids without rows of their own: nanoGPT's and llm.c's .bin files.
using System.Buffers.Binary;
using LlmShearing.Files;

namespace LlmShearing.Data.Rows;

internal static class TokenStreams
{
    private const int LlmcHeaderBytes = 1024;
    private const int LlmcGpt2 = 20240520;
    private const int LlmcLlama3 = 20240801;
    private const int LlmcEvaluation = 20240522;

    /// <summary>Whether a file begins as llm.c's do.</summary>
    public static bool IsLlmc(ReadOnlySpan<byte> start) =>
        start.Length >= 4 && BinaryPrimitives.ReadInt32LittleEndian(start) is LlmcGpt2 or LlmcLlama3 or LlmcEvaluation;

    /// <summary>llm.c: a header of 256 numbers, then the ids.</summary>
    public static ITokenRows OpenLlmc(string path, TokenRowsOptions options)
    {
        using FileStream file = OpenFile(path);
        Span<byte> header = stackalloc byte[12];
        if (file.Length < LlmcHeaderBytes)
            throw new TokenDataException($"{path} has {file.Length} bytes; an llm.c file begins with a header of {LlmcHeaderBytes}.");
        file.ReadExactly(header);
        int magic = BinaryPrimitives.ReadInt32LittleEndian(header);
        int version = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        long count = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        if (magic == LlmcEvaluation)
            throw new TokenDataException($"{path} is an evaluation file of llm.c, with examples instead of a stream of ids.");
        (TokenDtype dtype, int expected) = magic == LlmcGpt2 ? (TokenDtype.UInt16, 1) : (TokenDtype.UInt32, 7);
        if (version != expected)
            throw new TokenDataException($"{path}: version {version} of an llm.c file with the number {magic}; expected {expected}.");
        if (count < 0 || LlmcHeaderBytes + (count * dtype.Bytes()) != file.Length)
            throw new TokenDataException($"{path}: the header announces {count} ids of {dtype.Bytes()} bytes, a file of {LlmcHeaderBytes + (count * dtype.Bytes())} bytes; it has {file.Length}. It is cut short or damaged.");
        return Rows(path, "llm.c", LlmcHeaderBytes, count, dtype, options);
    }

    /// <summary>nanoGPT: nothing but ids.</summary>
    public static ITokenRows OpenHeaderless(string path, TokenRowsOptions options)
    {
        using FileStream file = OpenFile(path);
        TokenDtype dtype = options.Dtype ?? TokenDtype.UInt16;
        int width = dtype.Bytes();
        if (file.Length % width != 0)
            throw new TokenDataException($"{path} has {file.Length} bytes, which is no whole number of ids of {width} bytes ({dtype.Name()}). It is cut short, or its ids have another type (Dtype), such as {TokenDtypeCheck.Fitting(file.Length)}.");
        var check = new TokenDtypeCheck(dtype, options.Dtype is not null);
        byte[] start = new byte[Math.Min(file.Length, TokenDtypeCheck.MostBytes)];
        file.ReadExactly(start);
        check.Add(start);
        check.Finish(path, "Dtype");
        return Rows(path, "bin", 0, file.Length / width, dtype, options);
    }

    public static int RowLength(string path, TokenRowsOptions options) => options.RowLength switch
    {
        null => throw new TokenDataException($"{path} is one stream of ids without rows. Say how long a row is (RowLength, --length)."),
        < 1 => throw new TokenDataException($"RowLength is {options.RowLength}; it must be at least 1."),
        { } length => length,
    };

    /// <summary>Bytes of a file; of what a link leads to.</summary>
    public static long Length(string path)
    {
        try
        {
            return FileFacts.Length(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    public static FileStream OpenFile(string path)
    {
        try
        {
            LfsPointer.Refuse(path);
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static MappedTokenRows Rows(string path, string format, long offset, long count, TokenDtype dtype, TokenRowsOptions options)
    {
        int rowLength = RowLength(path, options);
        var tokens = new MappedTokens(path, offset, count, dtype, options.VocabularySize ?? int.MaxValue);
        return new MappedTokenRows(options.Name ?? Path.GetFileNameWithoutExtension(path), format, tokens, rowLength, null, options.VocabularySize, path);
    }
}
