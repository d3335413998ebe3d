// Reference models, ids and numbers of the scoring goldens.
using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmShearing.Checkpoints;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

internal static class ScoringGoldens
{
    private static readonly ConcurrentDictionary<string, LlamaModel> Models = new();

    /// <summary>One of the tiny reference models, loaded once.</summary>
    public static LlamaModel Model(string name) => Models.GetOrAdd(name, n => LlamaModel.Load(Goldens.Path($"baselines/models/{n}")));

    public static JsonElement Json(string relative) => JsonDocument.Parse(File.ReadAllText(Goldens.Path(relative))).RootElement;

    public static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(Number)];

    public static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    public static double Number(JsonElement e) => e.ValueKind == JsonValueKind.Number
        ? e.GetDouble()
        : e.GetString() switch
        {
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            "nan" => double.NaN,
            var text => double.Parse(text!, CultureInfo.InvariantCulture),
        };

    public static int[][] Rows(string file, string tensor)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(Goldens.Path(file));
        SafetensorsEntry entry = reader[tensor];
        long[] values = new long[entry.ElementCount];
        reader.Read(entry, 0, MemoryMarshal.AsBytes(values.AsSpan()));
        int width = (int)entry.Shape[1];
        return [.. values.Chunk(width).Select(row => row.Select(v => checked((int)v)).ToArray())];
    }

    /// <summary>A batch of rows; <paramref name="mask"/> has the same shape, 0 = padding.</summary>
    public static TokenBatch Batch(int[][] rows, int[][]? mask = null) =>
        new(rows.Length, rows[0].Length, [.. rows.SelectMany(r => r)], mask is null ? null : [.. mask.SelectMany(r => r).Select(v => v != 0)]);

    public static ImportanceScores Score(IImportanceScorer scorer, LlamaModel model, IEnumerable<TokenBatch> data, PruningAxes axes = PruningAxes.Layers) =>
        scorer.Score(new ScoringRequest(model, axes, data));

    public static void Near(double[] expected, IReadOnlyList<double> actual, double absolute, double relative, string what)
    {
        Assert.Equal(expected.Length, actual.Count);
        for (int i = 0; i < expected.Length; i++)
            Testing.Near.Equal(expected[i], actual[i], absolute, relative, $"{what}[{i}]");
    }
}
