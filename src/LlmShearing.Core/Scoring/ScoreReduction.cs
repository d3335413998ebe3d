namespace LlmShearing.Scoring;

/// <summary>How many numbers become one.</summary>
public enum ScoreReduction
{
    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>Their mean: blocks of different sizes become comparable.</summary>
    Mean,

    /// <summary>The largest.</summary>
    Max,

    /// <summary>Their product; over the rows of a weight in float32, where it may vanish or overflow to infinity as in the reference.</summary>
    Product,
}
