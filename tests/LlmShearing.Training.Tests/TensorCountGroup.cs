namespace LlmShearing.Training.Tests;

/// <summary>Test classes in this collection run alone, so that the process-wide tensor count is theirs.</summary>
[CollectionDefinition("tensor count", DisableParallelization = true)]
public sealed class TensorCountGroup;
