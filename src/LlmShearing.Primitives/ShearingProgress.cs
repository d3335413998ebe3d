namespace LlmShearing;

/// <summary>Where a long operation is. Reported after each batch, layer or step.</summary>
/// <param name="Stage">What is being done, in a few words.</param>
/// <param name="Completed">Units done.</param>
/// <param name="Total">Units in all; 0 when not known.</param>
/// <param name="Unit">What is counted: layers, batches, tokens, bytes.</param>
public readonly record struct ShearingProgress(string Stage, long Completed, long Total, string Unit = "steps")
{
    /// <summary>More about it for people, for example the loss; null when there is nothing.</summary>
    public string? Detail { get; init; }
}
