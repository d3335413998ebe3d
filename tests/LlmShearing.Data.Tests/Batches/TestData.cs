using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Rows;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Tests.Batches;

/// <summary>Domains whose ids say where they come from.</summary>
internal static class TestData
{
    public const int Length = 4;

    /// <summary>Row r of a domain is [first + r, r, r, r].</summary>
    public static TokenDomain Domain(string name, int rows, int first = 0) =>
        new(name, new MemoryTokenRows(name, Enumerable.Range(0, rows).Select(r => new[] { first + r, r, r, r })));

    public static TokenDomain[] Three() => [Domain("web", 50, 1000), Domain("code", 13, 2000), Domain("wiki", 25, 3000)];

    public static FixedDomainSamplerOptions Shares(int seed = 0) =>
        new() { Seed = seed, Proportions = { ["web"] = 0.5, ["code"] = 0.2, ["wiki"] = 0.3 } };

    public static DomainBatches Mixed(ExhaustionPolicy policy = ExhaustionPolicy.NextEpoch, int seed = 5, IDomainSampler? sampler = null) =>
        new(Three(), sampler ?? new RandomDomainSampler(Shares(seed)), new DomainBatchesOptions { BatchSize = 3, Seed = seed, Exhaustion = policy });

    /// <summary>Everything that makes a batch what it is.</summary>
    public static string Text(TrainingBatch? batch) => batch is null
        ? "end"
        : $"{string.Join(",", batch.Tokens.Ids.ToArray())}|{string.Join(",", batch.Labels.ToArray())}|{string.Join(",", batch.Positions.ToArray())}|{string.Join(",", batch.Tokens.AttentionMask.ToArray())}|{batch.Source}|{string.Join(",", batch.Domains ?? [])}";

    public static List<string> Take(ITrainingData data, int count) => [.. Enumerable.Range(0, count).Select(_ => Text(data.NextBatch()))];

    /// <summary>Through text and back, as a checkpoint would.</summary>
    public static JsonObject Stored(JsonObject state) => (JsonObject)JsonNode.Parse(state.ToJsonString())!;
}

/// <summary>A sampler whose proportions follow the losses it is told: a stand-in for adaptive ones.</summary>
internal sealed class LossFollowingSampler(FixedDomainSamplerOptions options) : IDomainSampler
{
    private readonly RandomDomainSampler _first = new(options);
    private double[] _proportions = [.. new RandomDomainSampler(options).Proportions];
    private long _draws;

    public IReadOnlyList<string> Domains => _first.Domains;

    public IReadOnlyList<double> Proportions => _proportions;

    public int NextDomain() => DomainDraw.Choose(_proportions, Mixing.Uniform(99, (ulong)_draws++));

    public void Update(IReadOnlyList<double> losses) => _proportions = [.. losses.Select(l => l / losses.Sum())];

    public JsonObject Save() => new() { ["draws"] = _draws, ["proportions"] = new JsonArray([.. _proportions.Select(p => JsonValue.Create(p))]) };

    public void Restore(JsonObject state) =>
        (_draws, _proportions) = (state["draws"]!.GetValue<long>(), [.. state["proportions"]!.AsArray().Select(p => p!.GetValue<double>())]);
}
