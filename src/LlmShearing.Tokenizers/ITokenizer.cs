using System.Buffers;

namespace LlmShearing.Tokenizers;

/// <summary>
/// Turns text into token ids and back. The library needs only these members, so a host can plug in its own tokenizer.
/// Implementations must be safe to use from several threads at once.
/// </summary>
public interface ITokenizer
{
    /// <summary>Number of ids, added tokens included: the largest id plus one.</summary>
    int VocabularySize { get; }

    /// <summary>Id of the token that begins a text, or null when none is known.</summary>
    int? BosTokenId { get; }

    /// <summary>Id of the token that ends a text, or null when none is known.</summary>
    int? EosTokenId { get; }

    /// <summary>Id that stands for text outside the vocabulary, or null when there is none.</summary>
    int? UnknownTokenId { get; }

    /// <summary>Id used to fill up batches, or null when none is known.</summary>
    int? PadTokenId { get; }

    /// <summary>Appends the ids of <paramref name="text"/> to <paramref name="destination"/>.</summary>
    /// <param name="text">The text, UTF-16; a lone surrogate counts as U+FFFD.</param>
    /// <param name="destination">Receives the ids, for example an <see cref="ArrayBufferWriter{T}"/> that is used again.</param>
    /// <param name="addSpecialTokens">Adds what the model expects around a text (usually bos in front). Default true.</param>
    /// <exception cref="TokenizerException">The tokenizer cannot represent the text (an unknown token that is not in its own vocabulary).</exception>
    void EncodeTo(ReadOnlySpan<char> text, IBufferWriter<int> destination, bool addSpecialTokens = true);

    /// <summary>The ids of <paramref name="text"/>.</summary>
    /// <param name="text">The text, UTF-16; a lone surrogate counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">Adds what the model expects around a text (usually bos in front). Default true.</param>
    /// <exception cref="TokenizerException">The tokenizer cannot represent the text.</exception>
    int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = true)
    {
        var writer = new ArrayBufferWriter<int>(Math.Max(16, text.Length / 3));
        EncodeTo(text, writer, addSpecialTokens);
        return writer.WrittenSpan.ToArray();
    }

    /// <summary>The ids of two texts read together. Without a template of its own a tokenizer joins them, types 0 and 1.</summary>
    /// <param name="first">The first text (type 0).</param>
    /// <param name="second">The second text (usually type 1).</param>
    /// <param name="addSpecialTokens">Adds what the model expects around and between the texts. Default true.</param>
    /// <exception cref="TokenizerException">The tokenizer cannot represent the text.</exception>
    EncodedPair EncodePair(ReadOnlySpan<char> first, ReadOnlySpan<char> second, bool addSpecialTokens = true)
    {
        int[] a = Encode(first, addSpecialTokens);
        int[] b = Encode(second, false);
        int[] types = new int[a.Length + b.Length];
        types.AsSpan(a.Length).Fill(1);
        return new EncodedPair([.. a, .. b], types);
    }

    /// <summary>The text of <paramref name="ids"/>. Ids without a token are left out; broken UTF-8 becomes U+FFFD.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out. Default true.</param>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>The id of a token as written in the vocabulary (for example <c>Ġthe</c> or <c>&lt;s&gt;</c>), or null.</summary>
    /// <param name="token">The token.</param>
    int? TokenToId(string token);

    /// <summary>The token as written in the vocabulary, or null when no token has this id.</summary>
    /// <param name="id">Token id.</param>
    string? IdToToken(int id);

    /// <summary>A decoder that takes one id at a time and gives text out as soon as its characters are complete.</summary>
    /// <param name="skipSpecialTokens">Leaves special tokens out. Default true.</param>
    TokenStreamDecoder CreateDecoder(bool skipSpecialTokens = true) => new(this, skipSpecialTokens);
}
