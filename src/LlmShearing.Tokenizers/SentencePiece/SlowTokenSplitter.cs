// Cuts text at added tokens as the reference's slow tokenizers do.
using LlmShearing.Tokenizers.AddedTokens;

namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>Leftmost, then longest token; stripping and single words by the reference's rules, which differ from those of its fast tokenizers. Immutable.</summary>
internal sealed class SlowTokenSplitter
{
    private readonly TokenTrie<AddedToken> _trie = new();
    private readonly IReadOnlyDictionary<string, AddedToken> _tokens;

    public SlowTokenSplitter(IReadOnlyDictionary<string, AddedToken> tokens)
    {
        _tokens = tokens;
        foreach (AddedToken token in tokens.Values)
            _trie.Add(token.Content, token);
    }

    /// <summary>The parts of the text in order, those that are a token with it; null when there is no token in it.</summary>
    public List<(string Text, AddedToken? Token)>? Split(ReadOnlySpan<char> text)
    {
        List<string> parts = Cut(text);
        if (parts.Count == 1 && !_tokens.ContainsKey(parts[0]))
            return null;
        for (int i = 0; i < parts.Count; i++)
        {
            if (!_tokens.TryGetValue(parts[i], out AddedToken? token))
                continue;
            // The neighbour on the left is the one that stripping leaves; the rule for single words looks at both as they were.
            string? left = i > 0 ? parts[i - 1] : null;
            string? right = i + 1 < parts.Count ? parts[i + 1] : null;
            if (token.RightStrip && right is not null)
                parts[i + 1] = right[Blank(right, fromEnd: false)..];
            if (token.LeftStrip && left is not null)
                parts[i - 1] = left[..^Blank(left, fromEnd: true)];
            if (!token.SingleWord)
                continue;
            if (left is { Length: > 0 } && left[^1] != ' ')
                (parts[i - 1], parts[i]) = (parts[i - 1] + token.Content, "");
            else if (right is { Length: > 0 } && right[0] != ' ')
                (parts[i], parts[i + 1]) = ("", token.Content + parts[i + 1]);
        }
        return [.. parts.Where(p => p.Length > 0).Select(p => (p, _tokens.GetValueOrDefault(p)))];
    }

    private List<string> Cut(ReadOnlySpan<char> text)
    {
        var parts = new List<string>();
        int from = 0;
        while (_trie.Find(text, from, out int start, out int length) is not null)
        {
            if (start > from)
                parts.Add(text[from..start].ToString());
            parts.Add(text.Slice(start, length).ToString());
            from = start + length;
        }
        if (from < text.Length || parts.Count == 0)
            parts.Add(text[from..].ToString());
        return parts;
    }

    // Whitespace as the reference's language has it: the separators U+001C to U+001F count.
    private static int Blank(string text, bool fromEnd)
    {
        int count = 0;
        while (count < text.Length && (fromEnd ? text[^(count + 1)] : text[count]) is char c && (char.IsWhiteSpace(c) || c is >= '\u001C' and <= '\u001F'))
            count++;
        return count;
    }
}
