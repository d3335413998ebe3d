namespace LlmShearing.Evaluation;

/// <summary>How much is done at once. No influence on what is computed.</summary>
public sealed record PerplexityOptions
{
    /// <summary>Default of <see cref="BatchTokens"/> for a resident model.</summary>
    public const int DefaultBatchTokens = 1024;

    /// <summary>Default of <see cref="BatchTokens"/> for a streamed model, where memory counts most.</summary>
    public const int DefaultStreamedBatchTokens = 512;

    /// <summary>Default of <see cref="StateBytes"/>.</summary>
    public const long DefaultStateBytes = 256L << 20;

    /// <summary>Tokens, padding included, that go through a block together.</summary>
    /// <value>Default null: 1024 for a resident model, 512 for a streamed one. At least 1. A longer window is a batch of its own.</value>
    public int? BatchTokens { get; init; }

    /// <summary>
    /// Bytes of hidden states kept between blocks when the model is streamed: all windows that fit go through block k before block k + 1 is read.
    /// More text than that takes several passes over the weights.
    /// </summary>
    /// <value>Default 256 MiB, at least 1.</value>
    public long StateBytes { get; init; } = DefaultStateBytes;
}
