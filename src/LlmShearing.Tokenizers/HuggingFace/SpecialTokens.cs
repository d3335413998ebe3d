namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>The ids of the tokens with a role; null where the files name none.</summary>
internal sealed record SpecialTokens(int? Bos = null, int? Eos = null, int? Unknown = null, int? Pad = null);
