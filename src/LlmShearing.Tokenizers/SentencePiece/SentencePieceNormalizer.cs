using System.Text;
using LlmShearing.Tokenizers.AddedTokens;
using LlmShearing.Tokenizers.Bpe;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>
/// Prepares text for a sentencepiece model: character map, whitespace, the mark for a space (U+2581). Works on UTF-8 like the
/// reference; the frequent case without map, user-defined pieces and whitespace removal is a plain replacement.
/// </summary>
internal sealed class SentencePieceNormalizer
{
    private const char SpaceMark = WordCutter.SpaceMark;

    private readonly SentencePieceModel _model;
    private readonly CharsMap? _map;
    private readonly TokenTrie<string> _verbatim;

    /// <summary>Creates the normalizer.</summary>
    /// <param name="model">Settings.</param>
    /// <param name="verbatim">User-defined pieces, which pass through unchanged.</param>
    public SentencePieceNormalizer(SentencePieceModel model, TokenTrie<string> verbatim)
    {
        _model = model;
        _verbatim = verbatim;
        if (model.CharsMap.Length > 0)
            _map = CharsMap.Read(model.CharsMap, model.Source);
    }

    private char Space => _model.EscapeWhitespaces ? SpaceMark : ' ';

    public void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output)
    {
        if (text.IsEmpty)
            return;
        if (_map is not null || _model.RemoveExtraWhitespaces || !_verbatim.IsEmpty)
        {
            ApplyFully(text, output);
            return;
        }

        if (_model.AddDummyPrefix)
            output.Add(Space);
        text.Replace(output.Reserve(text.Length), ' ', Space);
        output.Advance(text.Length);
    }

    private void ApplyFully(ReadOnlySpan<char> text, ScratchBuffer<char> output)
    {
        var bytes = new ScratchBuffer<byte>();
        bytes.Advance(Encoding.UTF8.GetBytes(text, bytes.Reserve(checked(text.Length * 3))));
        ReadOnlySpan<byte> rest = bytes.Span;
        var normalized = new ScratchBuffer<byte>();

        // Positions in UTF-16 and UTF-8 move together: user-defined pieces are looked up in the former.
        bool remove = _model.RemoveExtraWhitespaces;
        if (remove)
        {
            while (!rest.IsEmpty && NextPart(text, rest, out int chars, out int consumed) is [(byte)' '])
            {
                rest = rest[consumed..];
                text = text[chars..];
            }
        }
        if (rest.IsEmpty)
            return;

        if (_model.AddDummyPrefix)
            normalized.Add((byte)' ');
        bool afterSpace = remove;
        while (!rest.IsEmpty)
        {
            ReadOnlySpan<byte> part = NextPart(text, rest, out int chars, out int consumed);
            rest = rest[consumed..];
            text = text[chars..];
            if (afterSpace)
                part = part.TrimStart((byte)' ');
            normalized.Append(part);
            afterSpace = remove && (part.IsEmpty ? afterSpace : part[^1] == ' ');
        }

        ReadOnlySpan<byte> result = normalized.Span;
        if (remove)
            result = TrimSpaces(result);
        int written = Encoding.UTF8.GetChars(result, output.Reserve(result.Length));
        if (_model.EscapeWhitespaces)
            output.Reserve(written)[..written].Replace(' ', SpaceMark);
        output.Advance(written);
    }

    /// <summary>What the beginning of the text becomes, and how much of it that is.</summary>
    private ReadOnlySpan<byte> NextPart(ReadOnlySpan<char> text, ReadOnlySpan<byte> utf8, out int chars, out int consumed)
    {
        if (_verbatim.LongestPrefix(text, out chars) is { } piece)
        {
            consumed = Encoding.UTF8.GetByteCount(piece);
            return utf8[..consumed];
        }

        consumed = 0;
        ReadOnlySpan<byte> replacement = default;
        if (_map is not null)
            consumed = _map.LongestPrefix(utf8, out replacement);
        if (consumed == 0)
        {
            Rune.DecodeFromUtf8(utf8, out _, out consumed);
            replacement = utf8[..consumed];
        }
        chars = Encoding.UTF8.GetCharCount(utf8[..consumed]);
        return replacement;
    }

    // The mark itself counts as a space at the end: the reference trims after escaping.
    private ReadOnlySpan<byte> TrimSpaces(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> mark = "\u2581"u8;
        while (true)
        {
            if (text.EndsWith(" "u8))
                text = text[..^1];
            else if (_model.EscapeWhitespaces && text.EndsWith(mark))
                text = text[..^mark.Length];
            else
                return text;
        }
    }
}
