namespace LlmShearing.Tokenizers.Text;

/// <summary>The one-to-one map between bytes and printable characters that byte-level vocabularies are written in.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Chars = BuildChars();
    private static readonly short[] Bytes = BuildBytes();

    /// <summary>The character that stands for a byte: itself when printable Latin-1, else U+0100 and following.</summary>
    public static char ToChar(byte value) => Chars[value];

    /// <summary>The byte behind a character, or -1 when the character stands for none.</summary>
    public static int ToByte(char c) => c < Bytes.Length ? Bytes[c] : -1;

    private static char[] BuildChars()
    {
        char[] chars = new char[256];
        int moved = 0;
        for (int b = 0; b < chars.Length; b++)
        {
            bool printable = b is (>= 33 and <= 126) or (>= 161 and <= 172) or >= 174;
            chars[b] = (char)(printable ? b : 256 + moved++);
        }
        return chars;
    }

    private static short[] BuildBytes()
    {
        short[] bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[Chars[b]] = (short)b;
        return bytes;
    }
}
