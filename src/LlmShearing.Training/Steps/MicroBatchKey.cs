using LlmShearing.Support;

namespace LlmShearing.Training.Steps;

/// <summary>Which micro-batch of which step is at work.</summary>
/// <param name="Step">0-based optimizer step.</param>
/// <param name="MicroBatch">0-based micro-batch of the step.</param>
/// <param name="Seed">Root seed of the run.</param>
public readonly record struct MicroBatchKey(long Step, int MicroBatch, int Seed)
{
    /// <summary>A seed for a named stream of random numbers of this micro-batch. It depends on nothing else, so a resumed run draws the same numbers.</summary>
    /// <param name="stream">Which numbers, for example the index of a projection.</param>
    /// <returns>A well mixed 64-bit seed.</returns>
    public ulong Derive(ulong stream) => RandomSeed.Derive(Seed, Step, MicroBatch, stream);
}
