using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Instructions;

/// <summary>
/// Encodes text that goes on where other tokens end. Sentencepiece tokenizers put a space before every text that they are given; in the middle of a text there is none.
/// </summary>
internal sealed class MidTextEncoder
{
    // Put in front of a text and taken off again as ids; one that does not merge with what follows is found for each text.
    private static readonly string[] Leads = ["\n", "\u0001", "|", "."];

    private readonly ITokenizer _tokenizer;

    public MidTextEncoder(ITokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        AddsSpace = TryAfter("\n", "a", out int[] after) && !after.AsSpan().SequenceEqual(tokenizer.Encode("a", addSpecialTokens: false));
        int[] plain = tokenizer.Encode("a", addSpecialTokens: false), full = tokenizer.Encode("a");
        int at = full.AsSpan().IndexOf(plain);
        Begin = at > 0 ? full[..at] : [];
    }

    /// <summary>Whether the tokenizer puts a space before texts.</summary>
    public bool AddsSpace { get; }

    /// <summary>What the tokenizer puts before a text: usually bos or nothing.</summary>
    public int[] Begin { get; }

    public int[] Encode(string text, bool atStart)
    {
        if (atStart || !AddsSpace)
            return _tokenizer.Encode(text, addSpecialTokens: false);
        foreach (string lead in Leads)
            if (TryAfter(lead, text, out int[] ids))
                return ids;
        throw new TokenDataException($"The tokenizer puts a space before every text, and \"{(text.Length <= 40 ? text : text[..37] + "...")}\" cannot be tokenised without it. Choose the label rule {nameof(LabelRule.PromptLength)}.");
    }

    private bool TryAfter(string lead, string text, out int[] ids)
    {
        int[] alone = _tokenizer.Encode(lead, addSpecialTokens: false), both = _tokenizer.Encode(lead + text, addSpecialTokens: false);
        bool found = both.AsSpan().StartsWith(alone);
        ids = found ? both[alone.Length..] : [];
        return found;
    }
}
