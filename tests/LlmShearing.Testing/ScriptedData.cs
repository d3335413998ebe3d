// Training data made up as they are asked for: two domains, a mixture that adapts to losses, a place that can be saved.
using System.Text.Json.Nodes;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Testing;

/// <summary>
/// Micro-batch n depends on the seed, n and the mixture alone. Domain "low" has ids of the lower half of the vocabulary, "high" of the upper half.
/// </summary>
public sealed class ScriptedData(int seed = 1, int rows = 2, int length = 8, int vocabulary = 50, long batches = long.MaxValue) : ITrainingData
{
    private long _next, _lowDrawn;
    private double _low = 0.5;

    /// <summary>Called with the number of each micro-batch before it is given out.</summary>
    public Action<long>? OnNext { get; init; }

    public IReadOnlyDictionary<string, double>? Proportions => new SortedDictionary<string, double>(StringComparer.Ordinal) { ["high"] = 1 - _low, ["low"] = _low };

    public IReadOnlyDictionary<string, long>? Drawn => new SortedDictionary<string, long>(StringComparer.Ordinal) { ["high"] = _next - _lowDrawn, ["low"] = _lowDrawn };

    /// <summary>One held-out set a domain.</summary>
    public static IReadOnlyList<EvaluationSet> Evaluation(int vocabulary = 50) =>
        [new("low", [Batch(901, true, 2, 8, vocabulary, "low"), Batch(902, true, 1, 5, vocabulary, "low")]), new("high", [Batch(903, false, 2, 8, vocabulary, "high")])];

    public TrainingBatch? NextBatch(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_next >= batches)
            return null;
        OnNext?.Invoke(_next);
        int drawn = HashCode(seed, _next);
        bool low = new Random(drawn).NextDouble() < _low;
        _lowDrawn += low ? 1 : 0;
        return Batch(drawn, low, rows, length, vocabulary, $"batch {_next++}");
    }

    public void Update(IReadOnlyDictionary<string, double> losses) => _low = losses["low"] / (losses["low"] + losses["high"]);

    public JsonObject Describe() => new() { ["seed"] = seed, ["rows"] = rows, ["length"] = length };

    public JsonObject Save() => new() { ["next"] = _next, ["low"] = _low, ["low_drawn"] = _lowDrawn };

    public void Restore(JsonObject state) => (_next, _low, _lowDrawn) = ((long)state["next"]!, (double)state["low"]!, (long)state["low_drawn"]!);

    public void Dispose()
    {
    }

    private static TrainingBatch Batch(int seed, bool low, int rows, int length, int vocabulary, string source)
    {
        int half = vocabulary / 2;
        int[][] ids = TinyLlama.Rows(seed, half, [.. Enumerable.Repeat(length, rows)]);
        return new TrainingBatch(TokenBatch.FromRows([.. ids.Select(r => r.Select(i => low ? i : i + half).ToArray())]), source: source);
    }

    // Not System.HashCode: that differs from process to process.
    private static int HashCode(int seed, long n) => (int)(((uint)seed * 2654435761u) ^ ((uint)n * 40503u)) & int.MaxValue;
}
