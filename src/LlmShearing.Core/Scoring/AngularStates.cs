namespace LlmShearing.Scoring;

/// <summary>Which hidden states the angular distance compares.</summary>
public enum AngularStates
{
    /// <summary>
    /// x_0 (the embedding) to x_N before the final norm: every window of blocks can be removed
    /// (Gromov et al., "The Unreasonable Ineffectiveness of the Deeper Layers", section 3.2; also the ShortGPT code).
    /// </summary>
    EveryWindow,

    /// <summary>
    /// As the PruneMe code: without the embedding, so that no window starts at block 0, and with the last state after the final norm.
    /// </summary>
    PruneMe,
}
