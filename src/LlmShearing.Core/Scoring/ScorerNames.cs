namespace LlmShearing.Scoring;

/// <summary>Names under which the scorers of this library are registered and recorded in plans.</summary>
public static class ScorerNames
{
    /// <summary>Weight norms: <see cref="BlockMagnitudeScorer"/>.</summary>
    public const string Magnitude = "magnitude";

    /// <summary>First-order Taylor expansion over the weights of a block: <see cref="BlockTaylorScorer"/>.</summary>
    public const string Taylor = "taylor";

    /// <summary>Perplexity without the block: <see cref="BlockPerplexityScorer"/>.</summary>
    public const string BlockPerplexity = "block-perplexity";

    /// <summary>How much a block turns the hidden states: <see cref="BlockInfluenceScorer"/>.</summary>
    public const string BlockInfluence = "block-influence";

    /// <summary>Angle between the states around a window of blocks: <see cref="AngularDistanceScorer"/>.</summary>
    public const string Angular = "angular";

    /// <summary>Gradient of the loss with respect to gates at one: <see cref="GateTaylorScorer"/>.</summary>
    public const string GateTaylor = "gate-taylor";

    /// <summary>Chance, as a baseline: <see cref="RandomScorer"/>.</summary>
    public const string Random = "random";
}
