namespace LlmShearing.Masks;

/// <summary>Learned masks as importance scores.</summary>
public static class LearnedMaskScorer
{
    /// <summary>Name under which the scorer is registered and recorded in plans.</summary>
    public const string Name = "learned-mask";
}
