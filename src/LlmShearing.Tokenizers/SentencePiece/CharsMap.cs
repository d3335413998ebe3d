using System.Buffers.Binary;

namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>
/// The character map of a sentencepiece normalizer: a double-array trie of UTF-8 strings and what replaces them.
/// Every index is checked, so a damaged map matches nothing instead of reading elsewhere.
/// </summary>
internal sealed class CharsMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    private CharsMap(uint[] units, byte[] replacements)
    {
        _units = units;
        _replacements = replacements;
    }

    /// <summary>Reads the map: the trie's size in bytes, the trie, replacement strings that end in 0.</summary>
    /// <exception cref="TokenizerException">The sizes do not fit.</exception>
    public static CharsMap Read(ReadOnlySpan<byte> blob, string source)
    {
        uint size = blob.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(blob) : uint.MaxValue;
        if (size % 4 != 0 || size == 0 || size > (uint)blob.Length - 4)
            throw new TokenizerException($"{source}: the character map of {blob.Length} bytes claims a trie of {size} bytes.");

        ReadOnlySpan<byte> trie = blob.Slice(4, (int)size);
        uint[] units = new uint[trie.Length / 4];
        for (int i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(trie[(4 * i)..]);
        return new CharsMap(units, blob[(4 + (int)size)..].ToArray());
    }

    /// <summary>Finds the longest entry that <paramref name="utf8"/> begins with.</summary>
    /// <returns>Its length in bytes, 0 for none.</returns>
    public int LongestPrefix(ReadOnlySpan<byte> utf8, out ReadOnlySpan<byte> replacement)
    {
        int longest = 0;
        uint value = 0;
        uint position = Offset(_units[0]);
        for (int i = 0; i < utf8.Length; i++)
        {
            position ^= utf8[i];
            if (position >= _units.Length)
                break;
            uint unit = _units[position];
            if ((unit & 0x800000FF) != utf8[i])
                break;
            position ^= Offset(unit);
            if ((unit >> 8 & 1) != 0 && position < _units.Length)
            {
                longest = i + 1;
                value = _units[position] & 0x7FFFFFFF;
            }
        }

        replacement = default;
        if (longest > 0 && value < _replacements.Length)
        {
            replacement = _replacements.AsSpan((int)value);
            int end = replacement.IndexOf((byte)0);
            if (end >= 0)
                replacement = replacement[..end];
        }
        return longest;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);
}
