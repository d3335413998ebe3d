namespace LlmShearing.Model;

/// <summary>Everything optional about one forward pass.</summary>
public sealed record ForwardOptions
{
    /// <summary>True = real token [B, T] row-major; null = all real. Results at padding are undefined.</summary>
    public bool[]? AttentionMask { get; init; }

    /// <summary>Position of every token [B, T] row-major; null = 0..T-1 in every row, after the cache.</summary>
    public long[]? Positions { get; init; }

    /// <summary>Whether a row holds several sequences, each starting where positions do not increase by one; attention stays inside a sequence.</summary>
    public bool Packed { get; init; }

    /// <summary>Keys and values of earlier tokens; extended by the pass.</summary>
    public KeyValueCache? Cache { get; init; }

    /// <summary>Unit multipliers; null = none.</summary>
    public LlamaGates? Gates { get; init; }
}
