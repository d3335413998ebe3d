using LlmShearing.Tokenizers.AddedTokens;
using LlmShearing.Tokenizers.Bpe;
using LlmShearing.Tokenizers.Decoding;
using LlmShearing.Tokenizers.Normalization;
using LlmShearing.Tokenizers.PreTokenization;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Everything a tokenizer.json describes, read and checked.</summary>
internal sealed record JsonTokenizerParts
{
    public required BpeModel Model { get; init; }

    /// <summary>The model's tokens and the added ones.</summary>
    public required Dictionary<string, int> TokenIds { get; init; }

    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    public required NormalizerChain Normalizer { get; init; }

    public required PreTokenizer[] PreTokenizers { get; init; }

    /// <summary>Null joins tokens with spaces.</summary>
    public required TokenDecoder[]? Decoders { get; init; }

    public required TokenTemplate Template { get; init; }

    public required SpecialTokens Special { get; init; }
}
