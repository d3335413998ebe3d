using System.Text;
using LlmShearing.Tokenizers.PreTokenization;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Normalization;

/// <summary>Puts a fixed string before text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override bool LeavesAlone(ReadOnlySpan<char> text) => text.IsEmpty;

    public override void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart)
    {
        output.Append(prefix);
        output.Append(text);
    }
}

/// <summary>Replaces each match of a pattern.</summary>
internal sealed class ReplaceNormalizer(PieceScanner pattern, string content) : Normalizer
{
    public override void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart)
    {
        int from = 0;
        while (pattern.Next(text, from, out int start, out int end))
        {
            output.Append(text[from..start]);
            output.Append(content);
            from = end;
        }
        output.Append(text[from..]);
    }
}

/// <summary>Replaces one character by another: the common case of <see cref="ReplaceNormalizer"/>.</summary>
internal sealed class ReplaceCharNormalizer(char old, char replacement) : Normalizer
{
    public override bool LeavesAlone(ReadOnlySpan<char> text) => !text.Contains(old);

    public override void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart)
    {
        text.Replace(output.Reserve(text.Length), old, replacement);
        output.Advance(text.Length);
    }
}

/// <summary>Lower case, code point by code point; only U+0130 grows to two.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    public override void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart)
    {
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value == 0x130)
                output.Append("i\u0307");
            else
                output.Advance(Rune.ToLowerInvariant(rune).EncodeToUtf16(output.Reserve(2)));
        }
    }
}

/// <summary>Removes whitespace at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart)
    {
        ReadOnlySpan<char> stripped = left ? text.TrimStart() : text;
        if (stripped.Length < text.Length)
            atStart = false;
        output.Append(right ? stripped.TrimEnd() : stripped);
    }
}
