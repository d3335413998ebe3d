using System.Text;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.AddedTokens;

/// <summary>Splits text into added tokens and what lies between them. Immutable.</summary>
internal sealed class AddedTokenSplitter
{
    private readonly TokenTrie<AddedToken> _trie = new();

    /// <summary>Creates a splitter.</summary>
    /// <param name="tokens">For each token the form in which it stands in the text.</param>
    public AddedTokenSplitter(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        foreach ((string text, AddedToken token) in tokens)
            if (text.Length > 0)
                _trie.Add(text, token);
    }

    public bool IsEmpty => _trie.IsEmpty;

    /// <summary>Finds the next token that may stand where it stands.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="searchFrom">Where to look from; moved behind the match as written, without stripped whitespace.</param>
    /// <param name="taken">End of what earlier tokens took; whitespace before it is not taken again.</param>
    /// <param name="start">Where the token begins, taken whitespace included.</param>
    /// <param name="end">Where it ends, taken whitespace included.</param>
    public AddedToken? Next(ReadOnlySpan<char> text, ref int searchFrom, int taken, out int start, out int end)
    {
        while (_trie.Find(text, searchFrom, out start, out int length) is { } token)
        {
            end = start + length;
            searchFrom = end;
            if (token.SingleWord && TouchesWord(text, start, end))
                continue;
            if (token.LeftStrip)
                start = Math.Max(text[..start].TrimEnd().Length, taken);
            if (token.RightStrip)
                end = text.Length - text[end..].TrimStart().Length;
            // Nothing is left when an earlier token took all of it (a token of whitespace that strips as well).
            if (start < end)
                return token;
        }
        end = start;
        return null;
    }

    private static bool TouchesWord(ReadOnlySpan<char> text, int start, int end)
    {
        if (start > 0)
        {
            Rune.DecodeLastFromUtf16(text[..start], out Rune before, out _);
            if (CharClass.IsWord(before))
                return true;
        }
        if (end == text.Length)
            return false;
        Rune.DecodeFromUtf16(text[end..], out Rune after, out _);
        return CharClass.IsWord(after);
    }
}
