namespace LlmShearing.Scoring;

/// <summary>Options of <see cref="GateTaylorScorer"/>.</summary>
public sealed class GateTaylorOptions
{
    /// <summary>
    /// Whether the absolute value is taken for every batch before summing, so that batches cannot cancel each other.
    /// </summary>
    /// <value>Default: false, after the sum.</value>
    public bool AbsolutePerBatch { get; set; }
}
