namespace LlmShearing.Tokenizers;

/// <summary>The ids of two texts encoded together.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="TypeIds">For each id the segment it belongs to, usually 0 for the first text and 1 for the second.</param>
public sealed record EncodedPair(IReadOnlyList<int> Ids, IReadOnlyList<int> TypeIds);
