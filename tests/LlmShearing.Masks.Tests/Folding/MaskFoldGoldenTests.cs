// Cutting and folding, as the original does it, and without its double product in the output projection.
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Model;
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests.Folding;

public class MaskFoldGoldenTests
{
    public static TheoryData<string, string> Patterns() => MaskedModelCase.Folders(name => !name.StartsWith("l0-", StringComparison.Ordinal) && name is not ("hf" or "metrics"));

    public static TheoryData<string, string, string> Exports() => MaskedModelCase.Exports();

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Plan_ReferenceMasks_KeepsTheSameUnits(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        PruningPlan plan = MaskFold.Plan(golden.Values());
        JsonNode kept = golden.Json["kept"]!;
        Assert.Equal(Numbers(kept["hidden"]!), plan.Hidden.Indices);
        Assert.Equal(Numbers(kept["layers"]!), plan.Layers.Select(l => l.SourceIndex));
        Assert.Equal(Numbers(golden.Json["layer_map_new_to_old"]!), plan.Layers.Select(l => l.SourceIndex));
        for (int layer = 0; layer < golden.Model.Config.Shape.Layers.Length; layer++)
        {
            LayerPlan? stays = plan.Layers.FirstOrDefault(l => l.SourceIndex == layer);
            Assert.Equal(Numbers(kept["heads"]![layer]!), stays?.QueryHeads.Indices ?? []);
            Assert.Equal(Numbers(kept["intermediate"]![layer]!), stays?.Intermediate.Indices ?? []);
        }
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Apply_ReferenceOutput_GivesTheWeightsAndLogitsOfTheOriginal(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        using LlamaModel pruned = MaskFold.Apply(golden.Model, golden.Values(), new MaskFoldOptions { ReferenceOutput = true });
        Assert.Equal(golden.Tensors.Names.Count(n => n.StartsWith("pruned.", StringComparison.Ordinal)), pruned.NamedWeights().Count());
        foreach ((string name, var weight) in pruned.NamedWeights())
        {
            Assert.Equal(golden.Tensors.Shape("pruned." + golden.ComposerName(name)), weight.shape);
            Near.Equal(golden.Tensors.Floats("pruned." + golden.ComposerName(name)), MaskedModelCase.Numbers(weight), 1e-6, what: name);
        }

        Near.Equal(golden.Tensors.Floats("logits_pruned_reference"), golden.Logits(pruned), 2e-5, what: "logits");
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Apply_Exact_GivesTheLogitsOfTheMaskedModel(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        using LlamaModel pruned = MaskFold.Apply(golden.Model, golden.Values());
        float[] logits = golden.Logits(pruned);
        Near.Equal(golden.Tensors.Floats("logits_pruned_exact"), logits, 2e-5, what: "exact");
        if (golden.Tensors.Has("logits_masked"))
            Near.Equal(golden.Tensors.Floats("logits_masked"), logits, 2e-5, what: "masked");
        string output = golden.Tensors.Has("z.hidden_z") ? "pruned_exact." : "pruned.";
        Near.Equal(golden.Tensors.Floats(output + golden.ComposerName("lm_head.weight")), MaskedModelCase.Numbers(pruned.lm_head!.weight), 1e-6, what: "output");
    }

    [Theory]
    [MemberData(nameof(Exports))]
    public void Save_FoldedModel_GivesTheFolderOfTheOriginal(string model, string pattern, string export)
    {
        using var golden = new MaskedModelCase(model, pattern);
        bool half = export.EndsWith("bf16", StringComparison.Ordinal);
        using LlamaModel pruned = MaskFold.Apply(golden.Model, golden.Values(), new MaskFoldOptions { ReferenceOutput = export.Contains("reference", StringComparison.Ordinal) });
        string folder = Path.Combine(Path.GetTempPath(), $"fold-{Guid.NewGuid():n}");
        try
        {
            pruned.Save(folder, half ? TorchSharp.torch.ScalarType.BFloat16 : null);
            using (SafetensorsReader expected = SafetensorsReader.Open(Goldens.Path($"{golden.Folder}/{export}/model.safetensors")), actual = SafetensorsReader.Open(Path.Combine(folder, "model.safetensors")))
            {
                Assert.Equal(expected.Tensors.Select(t => (t.Name, t.Dtype)).Order(), actual.Tensors.Select(t => (t.Name, t.Dtype)).Order());
                Assert.All(expected.Tensors, t => Assert.Equal<long>(t.Shape, actual[t.Name].Shape));
            }

            LlamaConfig ours = LlamaConfigJson.Load(Path.Combine(folder, "config.json")), theirs = LlamaConfigJson.Load(Goldens.Path($"{golden.Folder}/{export}/config.json"));
            Assert.Equal(theirs.Shape, ours.Shape);
            Assert.Equal(theirs.StoredDtype, ours.StoredDtype);
            using LlamaModel saved = LlamaModel.Load(folder), reference = LlamaModel.Load(Goldens.Path($"{golden.Folder}/{export}"));
            foreach (((string name, var a), (_, var b)) in reference.NamedWeights().Zip(saved.NamedWeights()))
                Near.Equal(MaskedModelCase.Numbers(a), MaskedModelCase.Numbers(b), half ? 0 : 1e-6, what: name);
            using var logits = new GoldenTensors($"{golden.Folder}/hf-logits.safetensors");
            float[] stored = logits.Floats(logits.Has("logits") ? "logits" : $"logits_{export}");
            Near.Equal(stored, golden.Logits(saved), 2e-5, what: "logits");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<int> Numbers(JsonNode array) => array.AsArray().Select(n => (int)n!);
}
