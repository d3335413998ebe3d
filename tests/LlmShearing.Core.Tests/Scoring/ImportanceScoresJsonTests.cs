using System.Collections.Immutable;
using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Core.Tests.Planning;
using LlmShearing.Planning;
using LlmShearing.Scoring;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class ImportanceScoresJsonTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scores").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void SaveLoad_AllAxesWindowsAndInfinities_AreTheSameBits()
    {
        var random = new Random(11);
        LlamaShape shape = TestShapes.Uniform(3, 8, 4, 2, 4, 6, 20) with { Layers = [new LayerShape(3, 2, 6) { GroupSizes = [2, 1] }, new LayerShape(0, 0, 6), new LayerShape(4, 2, 0)] };
        double inf = double.PositiveInfinity;
        IEnumerable<double> Row(int n) => [.. Enumerable.Range(0, n).Select(_ => (random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-300, 300)))];
        ImportanceScores scores = new ImportanceScores(shape, "mine") { BlockWindows = [[1, double.NaN, 0.1], [inf, -inf], [2]] };
        scores = scores
            .With(PruningAxes.Hidden, Row(8))
            .With(PruningAxes.QueryHeads, shape.Layers.Select(l => Row(l.QueryHeads)))
            .With(PruningAxes.KeyValueGroups, shape.Layers.Select(l => Row(l.KeyValueHeads)))
            .With(PruningAxes.Intermediate, shape.Layers.Select(l => Row(l.IntermediateSize)))
            .With(PruningAxes.Attention, Row(3))
            .With(PruningAxes.Mlp, Row(3))
            .With(PruningAxes.Layers, [inf, -0.0, double.Epsilon]);
        string path = Path.Combine(_folder, "s.json");

        ImportanceScoresJson.Save(scores, path);
        ImportanceScores read = ImportanceScoresJson.Load(path);

        Assert.Equal((scores.Source, scores.Scorer, scores.Axes), (read.Source, read.Scorer, read.Axes));
        foreach (PruningAxes axis in Enum.GetValues<PruningAxes>().Where(scores.Has))
            Assert.Equal(Bits(scores[axis]), Bits(read[axis]));
        Assert.Equal(Bits(scores.BlockWindows), Bits(read.BlockWindows));
        Assert.Equal([path], Directory.GetFiles(_folder));

        static IEnumerable<long[]> Bits(ImmutableArray<ImmutableArray<double>> rows) => rows.Select(r => r.Select(BitConverter.DoubleToInt64Bits).ToArray());
    }

    [Fact]
    public void Load_PlanFromLoadedScores_IsThePlanFromTheOriginal()
    {
        ImportanceScores scores = TestShapes.RandomScores(TestShapes.Gqa10, new Random(12));
        string path = Path.Combine(_folder, "s.json");
        ImportanceScoresJson.Save(scores, path);
        LlamaShape target = TargetShape.Of(TestShapes.Gqa10, new TargetSizes { Layers = 6, Hidden = 30, QueryHeads = 2, KeyValueHeads = 1, Intermediate = 11 });

        Assert.Equal(new TargetedWidthStrategy().CreatePlan(target, scores), new TargetedWidthStrategy().CreatePlan(target, ImportanceScoresJson.Load(path)));
    }

    [Fact]
    public void Read_SpoiledFile_NamesTheMember()
    {
        Refused(j => j["axis"] = 1, "scores.json: 'axis': is not known here");
        Refused(j => j["axes"]!["heads"] = new JsonArray(), "'axes.heads': is not known here");
        Refused(j => j.Remove("scorer"), "'scorer': is missing");
        Refused(j => j["scorer"] = "", "'scorer': is empty");
        Refused(j => j["version"] = 2, "the scores have format version 2");
        Refused(j => j["axes"]!["hidden"]![0]!.AsArray().Add(1), "'axes.hidden[0]': expected 48 numbers, found an array of 49");
        Refused(j => j["axes"]!["query_heads"]!.AsArray().RemoveAt(3), "'axes.query_heads': expected 10 rows, found 9");
        Refused(j => j["axes"]!["layers"]![0]![4] = "infinity", "'axes.layers[0][4]': expected a number or \"inf\", \"-inf\" or \"nan\", found \"infinity\"");
        Refused(j => j["axes"]!["layers"]![0]![4] = "nan", "Layers score of unit 4 in row 0 is not a number");
        Refused(j => j["axes"]!["layers"]![0]![4] = JsonNode.Parse("1e999"), "'axes.layers[0][4]': expected a number");
        Refused(j => j["block_windows"] = new JsonArray(new JsonArray(1, 2)), "'block_windows[0]': expected 10 numbers, found an array of 2");
        Refused(j => j["source"]!["layers"]![0]!["key_value_heads"] = 4, "do not divide evenly");

        static void Refused(Action<JsonObject> spoil, string message)
        {
            using var stream = new MemoryStream();
            ImportanceScoresJson.Write(TestShapes.RandomScores(TestShapes.Gqa10, new Random(13)), stream);
            JsonObject json = JsonNode.Parse(stream.ToArray())!.AsObject();
            spoil(json);
            using var spoiled = new MemoryStream(Encoding.UTF8.GetBytes(json.ToJsonString()));
            Assert.Contains(message, Assert.Throws<ScoringException>(() => ImportanceScoresJson.Read(spoiled, "scores.json")).Message, StringComparison.Ordinal);
        }
    }
}
