using LlmShearing.Scoring;

namespace LlmShearing.Masks;

/// <summary>Where a host's "learned-mask" scorer finds its scores.</summary>
public sealed class LearnedMaskOptions
{
    /// <summary>File of <see cref="LearnedMaskScorer.ScoresOf"/>, written by <see cref="ImportanceScoresJson"/>. Read when first asked for, so that a host may write it itself.</summary>
    /// <value>Must be given.</value>
    public string Scores { get; set; } = "";
}
