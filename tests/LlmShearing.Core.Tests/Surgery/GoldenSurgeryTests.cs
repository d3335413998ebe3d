// Explicit kept indices: the cut model, and the gated one before cutting, give the reference logits.
using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Surgery;

public class GoldenSurgeryTests
{
    public static TheoryData<string> Cases()
    {
        var data = new TheoryData<string>();
        if (Goldens.TryPath("baselines/surgery/cases.json") is { } path)
            foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(path))!.AsArray())
                data.Add(c!["id"]!.GetValue<string>());
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_ReferencePlan_GivesReferenceLogits(string id)
    {
        JsonNode golden = Case(id);
        string name = golden["model"]!.GetValue<string>();
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"baselines/models/{name}"));
        PruningPlan plan = Plan(golden["plan"]!, model.Config.Shape);
        using var probe = new GoldenTensors("baselines/models/probe.safetensors");
        using var tensors = new GoldenTensors("baselines/surgery/tensors.safetensors");
        float[] expected = tensors.Floats($"{id}.logits");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor ids = tensor(probe.Longs($"{name}.ids"), 2, 24);

        using LlamaModel cut = ModelSurgery.Apply(model, plan);
        Near.Equal(expected, Last(cut.forward(ids)), 1e-4, 0, "cut");
        using LlamaGates gates = LlamaGates.FromPlan(plan);
        Near.Equal(expected, Last(model.forward(ids, new ForwardOptions { Gates = gates })), 1e-4, 0, "gated");
    }

    internal static JsonNode Case(string id) =>
        JsonNode.Parse(File.ReadAllText(Goldens.Path("baselines/surgery/cases.json")))!.AsArray().First(c => c!["id"]!.GetValue<string>() == id)!;

    internal static PruningPlan Plan(JsonNode plan, LlamaShape shape)
    {
        int[] Ints(JsonNode? list) => [.. (list?.AsArray() ?? []).Select(v => v!.GetValue<int>())];
        return new PruningPlan
        {
            Source = shape,
            Hidden = IndexSet.Of(Ints(plan["hidden_kept"])),
            Layers =
            [
                .. Ints(plan["blocks_kept"]).Select(i =>
                {
                    JsonNode layer = plan["layers"]![i]!;
                    return new LayerPlan(
                        i,
                        layer["attention"]!.GetValue<bool>() ? IndexSet.Of(Ints(layer["q_heads_kept"])) : IndexSet.Empty,
                        layer["mlp"]!.GetValue<bool>() ? IndexSet.Of(Ints(layer["ffn_kept"])) : IndexSet.Empty);
                }),
            ],
        };
    }

    // The last 8 positions [2, 8, V].
    private static float[] Last(Tensor logits) => logits.narrow(1, logits.shape[1] - 8, 8).contiguous().data<float>().ToArray();
}
