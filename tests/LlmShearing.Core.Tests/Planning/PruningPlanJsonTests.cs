using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Plans;

namespace LlmShearing.Core.Tests.Planning;

public sealed class PruningPlanJsonTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("plans").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void SaveLoad_RandomPlans_AreEqualAndBytesAreStable()
    {
        var random = new Random(10);
        string path = Path.Combine(_folder, "new", "plan.json");
        for (int i = 0; i < 50; i++)
        {
            PruningPlan first = TestShapes.RandomPlan(i % 2 == 0 ? TestShapes.Gqa10 : TestShapes.Mha12, random);
            // Composition makes sources with unequal groups and absent sub-blocks.
            PruningPlan plan = i % 3 == 0 ? first : TestShapes.RandomPlan(first.Target, random);
            plan.Save(path);
            byte[] bytes = File.ReadAllBytes(path);

            PruningPlan read = PruningPlan.Load(path);

            Assert.Equal(plan, read);
            Assert.Equal(plan.Target, read.Target);
            read.Save(path);
            Assert.Equal(bytes, File.ReadAllBytes(path));
        }

        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Write_SmallPlan_IsTheDocumentedText()
    {
        LlamaShape source = TestShapes.Uniform(3, 8, 4, 2, 4, 6, 20);
        PruningPlan plan = PruningPlan.FromKept(source, new KeptUnits { Hidden = IndexSet.Parse("0-3,7"), Layers = IndexSet.Parse("0,2"), QueryHeads = UnitSelection.Parse("2:1-2") })
            with { Provenance = new PlanProvenance("taylor", "targeted-width") { Model = "a/b \"c\"", CalibrationHash = "00ff", Library = "0.1.0", RemovedBlocks = [1] } };

        Assert.Equal(
            """
            {
              "version": 1,
              "source": {
                "vocab_size": 20,
                "hidden_size": 8,
                "head_dim": 4,
                "tied_embeddings": false,
                "query_key_value_bias": false,
                "output_bias": false,
                "mlp_bias": false,
                "layers": [
                  {
                    "count": 3,
                    "query_heads": 4,
                    "key_value_heads": 2,
                    "intermediate_size": 6
                  }
                ]
              },
              "hidden": "0-3,7",
              "layers": [
                {
                  "source_index": 0,
                  "query_heads": "0-3",
                  "intermediate": "0-5"
                },
                {
                  "source_index": 2,
                  "query_heads": "1-2",
                  "intermediate": "0-5"
                }
              ],
              "provenance": {
                "scorer": "taylor",
                "strategy": "targeted-width",
                "model": "a/b \"c\"",
                "calibration_hash": "00ff",
                "library": "0.1.0",
                "removed_blocks": [
                  1
                ]
              }
            }

            """,
            Text(plan));
    }

    [Fact]
    public void Read_UnknownMember_IsNamed()
    {
        Refused(j => j["hiden"] = "0", "plan.json: 'hiden': is not known here. Remove it or correct its name; known: hidden, layers, provenance, source, version.");
        Refused(j => j["source"]!["rope"] = 1, "'source.rope': is not known here");
        Refused(j => j["layers"]![2]!["heads"] = 1, "'layers[2].heads': is not known here");
        Refused(j => j["provenance"] = new JsonObject { ["score"] = "x" }, "'provenance.score': is not known here");
    }

    [Fact]
    public void Read_MissingOrWrongMember_IsNamed()
    {
        Refused(j => j.Remove("hidden"), "plan.json: 'hidden': is missing.");
        Refused(j => j.Remove("version"), "'version': is missing");
        Refused(j => j["source"]!.AsObject().Remove("mlp_bias"), "'source.mlp_bias': is missing");
        Refused(j => j["hidden"] = 3, "'hidden': expected text, found 3");
        Refused(j => j["layers"] = "all", "'layers': expected an array, found \"all\"");
        Refused(j => j["layers"]![0] = 7, "'layers[0]': expected an object, found 7");
        Refused(j => j["source"]!["head_dim"] = 8.5, "'source.head_dim': expected a whole number from 1 to 16777216, found 8.5");
        Refused(j => j["source"]!["tied_embeddings"] = "no", "'source.tied_embeddings': expected true or false, found \"no\"");
        Refused(j => j["provenance"] = new JsonObject { ["removed_blocks"] = new JsonArray("x") }, "'provenance.removed_blocks[0]': expected a whole number");
    }

    [Fact]
    public void Read_NewerVersion_AsksForANewerRelease() =>
        Refused(
            j =>
            {
                j["version"] = 2;
                j["a_member_of_version_2"] = true;
            },
            "the plan has format version 2; this library reads up to 1. Use a newer release of the library.");

    [Fact]
    public void Read_HostileSizes_AreRefusedQuickly()
    {
        Refused(j => j["hidden"] = "0-2147483647", "'hidden': '0-2147483647' in '0-2147483647' goes beyond the 32 units");
        Refused(j => j["source"]!["hidden_size"] = 2_000_000_000, "'source.hidden_size': expected a whole number from 1 to 16777216");
        Refused(j => j["source"]!["layers"]![0]!["count"] = 1_000_000, "'source.layers[0].count': expected a whole number from 1 to 65536");
        Refused(j => j["source"]!["layers"] = new JsonArray(Layer(65536, 1), Layer(65536, 1)), "'source.layers[1].count': gives more than 65536 blocks in all");
        Refused(j => j["source"]!["layers"] = new JsonArray(Layer(60000, 16_777_216)), "heads and intermediate channels in all");
        Refused(j => j["source"]!["layers"]![0]!["query_heads"] = 16_777_216, "no projection wider than");
        Refused(j => j["layers"]![0]!["source_index"] = 12, "'layers[0].source_index': expected a whole number from 0 to 11");
        Refused(j => j["layers"]!.AsArray().Add(j["layers"]![0]!.DeepClone()), "expected at most 12 entries, found 13");
        Refused(j => j["layers"]![1]!["source_index"] = 0, "Name every block once, in ascending order");
        Refused(j => j["layers"] = new JsonArray(), "keeps none of 12 blocks");
        Refused(j => j["hidden"] = "", "keeps none of 32 residual channels");

        static JsonObject Layer(int count, int width) => new() { ["count"] = count, ["query_heads"] = 1, ["key_value_heads"] = 1, ["intermediate_size"] = width };
    }

    [Theory]
    [InlineData("", "is not valid JSON")]
    [InlineData("[]", "expected an object, found an array of 0")]
    [InlineData("{\"version\":1,\"version\":1}", "is not valid JSON")]
    [InlineData("{\"version\":1", "is not valid JSON")]
    [InlineData("{\"version\":1e99}", "found 1e99")]
    public void Read_NotAPlan_IsRefusedWithTheName(string text, string message)
    {
        string found = Assert.Throws<PlanException>(() => Read(text)).Message;

        Assert.StartsWith("plan.json", found, StringComparison.Ordinal);
        Assert.Contains(message, found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"\\ud800\"", new byte[0])]
    [InlineData("\"", new byte[] { 0xff, (byte)'"' })]
    public void Read_BrokenText_IsRefusedWithPlanException(string prefix, byte[] rest)
    {
        string text = Text(PruningPlan.Identity(TestShapes.Mha12)).Replace("\"0-31\"", "@", StringComparison.Ordinal);
        string[] sides = text.Split('@');
        byte[] bytes = [.. Encoding.UTF8.GetBytes(sides[0] + prefix), .. rest, .. Encoding.UTF8.GetBytes(sides[1])];

        Assert.Contains("is not valid JSON", Assert.Throws<PlanException>(() => PruningPlanJson.Read(new MemoryStream(bytes))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_EveryTruncation_IsRefusedWithPlanException()
    {
        string text = Text(PruningPlan.RemoveBlocks(TestShapes.Mha12, [3]));
        for (int length = 0; length < text.TrimEnd().Length; length += 7)
            Assert.Throws<PlanException>(() => Read(text[..length]));
    }

    [Fact]
    public void Load_NoSuchFile_NamesThePath()
    {
        string path = Path.Combine(_folder, "absent.json");

        Assert.StartsWith($"{path} cannot be opened", Assert.Throws<PlanException>(() => PruningPlan.Load(path)).Message, StringComparison.Ordinal);
        Assert.Throws<PlanException>(() => PruningPlan.Load(_folder));
    }

    [Fact]
    public void Save_InvalidPlanOrPlace_LeavesTheOldFileAndNothingElse()
    {
        string path = Path.Combine(_folder, "plan.json");
        PruningPlan good = PruningPlan.Identity(TestShapes.Mha12);
        good.Save(path);

        Assert.Throws<PlanException>(() => (good with { Hidden = IndexSet.Empty }).Save(path));
        Assert.Throws<PlanException>(() => good.Save(Path.Combine(path, "below-a-file.json")));
        Directory.CreateDirectory(Path.Combine(_folder, "folder"));
        Assert.Throws<PlanException>(() => good.Save(Path.Combine(_folder, "folder")));

        Assert.Equal(good, PruningPlan.Load(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    private static string Text(PruningPlan plan)
    {
        using var stream = new MemoryStream();
        PruningPlanJson.Write(plan, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static PruningPlan Read(string text) => PruningPlanJson.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "plan.json");

    private static void Refused(Action<JsonObject> spoil, string message)
    {
        JsonObject json = JsonNode.Parse(Text(PruningPlan.Identity(TestShapes.Mha12)))!.AsObject();
        spoil(json);
        Assert.Contains(message, Assert.Throws<PlanException>(() => Read(json.ToJsonString())).Message, StringComparison.Ordinal);
    }
}
