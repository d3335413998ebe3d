using Xunit;
using LlmShearing.Training.Steps;
using TorchSharp;

namespace LlmShearing.Testing.Training;

/// <summary>Small models of every kind that a step must handle.</summary>
internal static class StepModels
{
    public static readonly Dictionary<string, Func<LlamaModel>> All = new()
    {
        ["grouped"] = () => TinyLlama.Create(1),
        ["multi-head"] = () => TinyLlama.Create(TinyLlama.Config(keyValueHeads: 4), 2),
        ["tied"] = () => TinyLlama.Create(TinyLlama.Config(tied: true), 3),
        ["biases"] = () => TinyLlama.Create(TinyLlama.Config(biases: true), 4),
        ["padding id"] = () => TinyLlama.Create(TinyLlama.Config() with { PadTokenId = StepBatches.PadId }, 5),
        ["tied padding id"] = () => TinyLlama.Create(TinyLlama.Config(tied: true) with { PadTokenId = StepBatches.PadId }, 6),
        ["absent sub-blocks"] = () => TinyLlama.Create(TinyLlama.Config([new(0, 0, 24), new(4, 2, 0), new(0, 0, 0), new(4, 2, 24), new(0, 0, 0)]), 7),
        ["uneven groups"] = () => TinyLlama.Create(TinyLlama.Config([new(3, 2, 20) { GroupSizes = [2, 1] }, new(4, 4, 24)]), 8),
        ["window"] = () => TinyLlama.Create(TinyLlama.Config() with { SlidingWindows = [4, null, 3] }, 9),
    };
}

/// <summary>Batches of every kind, for a vocabulary of 50.</summary>
internal static class StepBatches
{
    public const int PadId = 7;

    public static readonly (string Name, TrainingBatch Batch)[] All =
    [
        ("plain", new TrainingBatch(TinyLlama.Batch(1, 3, 9))),
        ("right padding", new TrainingBatch(TokenBatch.FromRows(TinyLlama.Rows(2, 50, 9, 4, 6), PadId))),
        ("left padding", LeftPadded()),
        ("labels", Labelled(3)),
        ("packed", Packed()),
        ("ids equal to the padding id", new TrainingBatch(new TokenBatch(1, 6, [3, PadId, 4, PadId, PadId, 5]))),
    ];

    /// <summary>Rows in which only some tokens are scored.</summary>
    public static TrainingBatch Labelled(int seed, int rows = 2, int length = 9)
    {
        TokenBatch tokens = TinyLlama.Batch(seed, rows, length);
        var random = new Random(seed);
        return new TrainingBatch(tokens, [.. tokens.Ids.ToArray().Select(id => random.Next(3) == 0 ? TrainingBatch.Ignored : id)], source: $"labelled {seed}");
    }

    private static TrainingBatch LeftPadded()
    {
        TokenBatch tokens = TinyLlama.Batch(4, 2, 8);
        bool[] mask = [.. Enumerable.Range(0, 16).Select(i => i is not (0 or 1 or 2 or 8))];
        return new TrainingBatch(new TokenBatch(2, 8, tokens.Ids.ToArray(), mask));
    }

    private static TrainingBatch Packed() =>
        new(TinyLlama.Batch(5, 2, 8), positions: [0, 1, 2, 0, 1, 2, 3, 4, 0, 0, 1, 2, 3, 0, 1, 0]);
}
