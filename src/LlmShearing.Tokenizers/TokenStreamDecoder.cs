using System.Runtime.InteropServices;

namespace LlmShearing.Tokenizers;

/// <summary>
/// Decodes ids one at a time. Text is held back while it ends in an incomplete character.
/// A decoder belongs to one stream of ids and to one thread at a time.
/// </summary>
public sealed class TokenStreamDecoder
{
    private const char Incomplete = '\uFFFD';

    private readonly ITokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;

    // The ids behind the last text given out, then those still waiting. The former are decoded again each time
    // because what a token looks like depends on the tokens before it (a leading space vanishes at the start).
    private readonly List<int> _window = [];
    private string _given = "";
    private int _givenCount;

    /// <summary>Creates a decoder.</summary>
    /// <param name="tokenizer">Decodes the ids.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out. Default true.</param>
    public TokenStreamDecoder(ITokenizer tokenizer, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
    }

    /// <summary>Takes the next id.</summary>
    /// <param name="id">Token id.</param>
    /// <returns>The text that became complete, or null when there is nothing to show yet.</returns>
    public string? Append(int id)
    {
        if (_given.Length == 0 && _window.Count > 0)
        {
            string before = DecodeWindow();
            if (!before.EndsWith(Incomplete))
            {
                _given = before;
                _givenCount = _window.Count;
            }
        }

        _window.Add(id);
        string text = DecodeWindow();
        if (text.Length <= _given.Length || text.EndsWith(Incomplete))
            return null;

        string fresh = text[_given.AsSpan().CommonPrefixLength(text)..];
        int waiting = _window.Count - _givenCount;
        _window.RemoveRange(0, _givenCount);
        _given = DecodeWindow();
        _givenCount = waiting;
        return fresh;
    }

    /// <summary>Ends the stream: gives out what is still held back, broken characters as U+FFFD, and starts anew.</summary>
    /// <returns>The remaining text, empty when there is none.</returns>
    public string Flush()
    {
        string text = DecodeWindow();
        string rest = text[_given.AsSpan().CommonPrefixLength(text)..];
        _window.Clear();
        _given = "";
        _givenCount = 0;
        return rest;
    }

    private string DecodeWindow() =>
        _tokenizer.Decode(CollectionsMarshal.AsSpan(_window), _skipSpecialTokens);
}
