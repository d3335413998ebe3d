using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Batches;

/// <summary>A domain of the training data.</summary>
/// <param name="Name">Its name, as the sampler and the evaluation sets know it.</param>
/// <param name="Rows">Its rows; they stay the caller's to dispose.</param>
public sealed record TokenDomain(string Name, ITokenRows Rows);
