using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Surgery;

/// <summary>Reference cases of baselines/surgery: a plan, and a digest of every tensor that is left.</summary>
internal sealed record SurgeryCase(string Id, string SourceFolder, PruningPlan Plan, string? ResultFolder, string? WeightsFile, JsonObject Digests)
{
    public const string Root = "baselines/surgery";

    public static JsonArray Read() => JsonNode.Parse(File.ReadAllText(Goldens.Path(Root + "/cases.json")))!.AsArray();

    public static TheoryData<string> Ids()
    {
        var data = new TheoryData<string>();
        if (Goldens.TryPath(Root) is not null)
            foreach (JsonNode? item in Read())
                data.Add((string)item!["id"]!);
        return data;
    }

    public static SurgeryCase Load(string id)
    {
        JsonObject json = Read().Single(c => (string)c!["id"]! == id)!.AsObject();
        string folder = Goldens.Path("baselines/models/" + (string)json["model"]!);
        LlamaShape shape = LlamaConfigJson.Load(Path.Combine(folder, "config.json")).Shape;
        JsonNode plan = json["plan"]!;
        var layers = ImmutableArray.CreateBuilder<LayerPlan>();
        foreach (int block in Ints(plan["blocks_kept"]))
        {
            JsonNode layer = plan["layers"]![block]!;
            layers.Add(new LayerPlan(
                block,
                (bool)layer["attention"]! ? IndexSet.Of(Ints(layer["q_heads_kept"])) : IndexSet.Empty,
                (bool)layer["mlp"]! ? IndexSet.Of(Ints(layer["ffn_kept"])) : IndexSet.Empty));
        }

        return new SurgeryCase(
            id,
            folder,
            new PruningPlan { Source = shape, Hidden = IndexSet.Of(Ints(plan["hidden_kept"])), Layers = layers.ToImmutable() },
            (string?)json["hf_dir"] is string dir ? Goldens.TryPath($"{Root}/{dir}") : null,
            (string?)json["weights_file"] is string file ? Goldens.TryPath($"{Root}/{file}") : null,
            json["weights_digest"]!.AsObject());
    }

    private static int[] Ints(JsonNode? array) => [.. array!.AsArray().Select(n => (int)n!)];
}
