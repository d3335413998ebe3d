// Text in another encoding than UTF-8, told from its first bytes.
namespace LlmShearing.Data.Corpus;

internal static class TextEncodings
{
    private const int MostBytes = 1024, FewestBytes = 16;

    /// <summary>Refuses UTF-16: read as UTF-8 it is broken, or text with a NUL behind every letter.</summary>
    /// <param name="start">The beginning of the decompressed file.</param>
    /// <param name="path">For the message.</param>
    /// <exception cref="TokenDataException">The text is UTF-16.</exception>
    public static void RefuseUtf16(ReadOnlySpan<byte> start, string path)
    {
        start = start[..Math.Min(MostBytes, start.Length)];
        if (start.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || start.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) || EverySecondIsZero(start))
            throw new TokenDataException($"{path}, line 1: the text is UTF-16; text is read as UTF-8. Convert the file first, for example with iconv -f UTF-16 -t UTF-8.");
    }

    private static bool EverySecondIsZero(ReadOnlySpan<byte> start)
    {
        int pairs = start.Length / 2, even = 0, odd = 0;
        for (int i = 0; i < pairs; i++)
        {
            even += start[2 * i] == 0 ? 1 : 0;
            odd += start[(2 * i) + 1] == 0 ? 1 : 0;
        }

        return start.Length >= FewestBytes && ((even == pairs && odd == 0) || (odd == pairs && even == 0));
    }
}
