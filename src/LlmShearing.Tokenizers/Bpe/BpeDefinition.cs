namespace LlmShearing.Tokenizers.Bpe;

/// <summary>A BPE model as a tokenizer.json states it.</summary>
internal sealed record BpeDefinition
{
    /// <summary>File and place, for messages.</summary>
    public required string Source { get; init; }

    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>In order of rank.</summary>
    public required List<(string Left, string Right)> Merges { get; init; }

    public string? UnknownToken { get; init; }

    public string ContinuingPrefix { get; init; } = "";

    public string EndSuffix { get; init; } = "";

    public bool FuseUnknown { get; init; }

    public bool ByteFallback { get; init; }

    public bool IgnoreMerges { get; init; }
}
