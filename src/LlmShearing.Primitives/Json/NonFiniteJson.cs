// NaN and Infinity, which Python writes into JSON although the standard has no such numbers.
namespace LlmShearing.Json;

/// <summary>Tells the NaN and Infinity that some programs write into JSON, so that an error can name them.</summary>
public static class NonFiniteJson
{
    private static readonly byte[][] Names = ["NaN"u8.ToArray(), "-Infinity"u8.ToArray(), "Infinity"u8.ToArray()];

    /// <summary>Puts null in place of NaN, Infinity and -Infinity outside of texts.</summary>
    /// <param name="json">One JSON value.</param>
    /// <returns>The same with null in their places, or null when there is no such number.</returns>
    public static byte[]? WithNull(ReadOnlySpan<byte> json)
    {
        List<byte>? result = null;
        int copied = 0;
        bool text = false;
        for (int i = 0; i < json.Length; i++)
        {
            if (text && json[i] == (byte)'\\')
                i++;
            else if (json[i] == (byte)'"')
                text = !text;
            else if (!text && (json[i] is (byte)'N' or (byte)'I' or (byte)'-') && Length(json, i) is > 0 and int length)
            {
                (result ??= []).AddRange(json[copied..i]);
                result.AddRange("null"u8);
                copied = i + length;
                i = copied - 1;
            }
        }

        result?.AddRange(json[copied..]);
        return result?.ToArray();
    }

    // Only a whole value counts: [,:] or white space before it, [,]}] or white space behind it.
    private static int Length(ReadOnlySpan<byte> json, int at)
    {
        foreach (byte[] name in Names)
            if (json[at..].StartsWith(name) && (at == 0 || " \t\r\n,:["u8.Contains(json[at - 1])) && (at + name.Length == json.Length || " \t\r\n,]}"u8.Contains(json[at + name.Length])))
                return name.Length;
        return 0;
    }
}
