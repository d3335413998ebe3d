// JSON text whose escapes name halves of surrogate pairs, which the JSON reader refuses to give out.
using System.Globalization;
using System.Text;

namespace LlmShearing.Data.Corpus;

internal static class LooseJsonText
{
    /// <summary>Takes the escapes out of a JSON string that is well-formed except for lone surrogates; those become U+FFFD.</summary>
    /// <param name="escaped">Between the quotes; valid UTF-8.</param>
    /// <param name="destination">At least as long.</param>
    /// <returns>Characters written.</returns>
    public static int Unescape(ReadOnlySpan<byte> escaped, Span<char> destination)
    {
        int written = 0;
        while (!escaped.IsEmpty)
        {
            int plain = escaped.IndexOf((byte)'\\');
            ReadOnlySpan<byte> before = plain < 0 ? escaped : escaped[..plain];
            written += Encoding.UTF8.GetChars(before, destination[written..]);
            if (plain < 0)
                break;
            byte kind = escaped[plain + 1];
            bool unicode = kind == (byte)'u';
            destination[written++] = unicode
                ? (char)ushort.Parse(escaped.Slice(plain + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
                : kind switch
                {
                    (byte)'b' => '\b',
                    (byte)'f' => '\f',
                    (byte)'n' => '\n',
                    (byte)'r' => '\r',
                    (byte)'t' => '\t',
                    _ => (char)kind,
                };
            escaped = escaped[(plain + (unicode ? 6 : 2))..];
        }

        for (int i = 0; i < written; i++)
        {
            if (char.IsHighSurrogate(destination[i]) && i + 1 < written && char.IsLowSurrogate(destination[i + 1]))
                i++;
            else if (char.IsSurrogate(destination[i]))
                destination[i] = '\uFFFD';
        }

        return written;
    }
}
