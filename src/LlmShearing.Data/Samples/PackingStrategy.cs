namespace LlmShearing.Data.Samples;

/// <summary>How samples of different lengths share rows of one length (TRL's pack_dataset).</summary>
public enum PackingStrategy
{
    /// <summary>Best fit, longest first; samples longer than a row are cut off. TRL's <c>bfd</c>, called <c>ffd</c> before 0.20.</summary>
    BestFit,

    /// <summary>As <see cref="BestFit"/>, but samples longer than a row are split into pieces, each a document of its own. TRL's <c>bfd_split</c>.</summary>
    BestFitSplit,

    /// <summary>All samples are written one after the other and cut into rows; no token is lost, samples are cut anywhere. TRL's <c>wrapped</c>.</summary>
    Wrapped,
}

/// <summary>A run of tokens of one sample in a packed row.</summary>
/// <param name="Sample">Index of the sample.</param>
/// <param name="Start">First token of it.</param>
/// <param name="Length">Tokens.</param>
public readonly record struct PackedSegment(int Sample, int Start, int Length);
