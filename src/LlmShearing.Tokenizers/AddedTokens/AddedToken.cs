namespace LlmShearing.Tokenizers.AddedTokens;

/// <summary>A token found in the text itself, before the model sees it.</summary>
internal sealed record AddedToken
{
    public required int Id { get; init; }

    public required string Content { get; init; }

    /// <summary>Only where no word character touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Takes the whitespace before it.</summary>
    public bool LeftStrip { get; init; }

    /// <summary>Takes the whitespace after it.</summary>
    public bool RightStrip { get; init; }

    /// <summary>Looked for in the normalised text, in its own normalised form.</summary>
    public bool Normalized { get; init; }

    public bool Special { get; init; }
}
