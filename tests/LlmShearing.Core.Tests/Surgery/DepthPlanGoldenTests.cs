// The models that Shortened LLaMA's own scripts leave: logits and perplexity under both of its protocols, before and after cutting.
using System.Text.Json.Nodes;
using LlmShearing.Evaluation;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Surgery;

public class DepthPlanGoldenTests
{
    public static TheoryData<string> Plans()
    {
        var data = new TheoryData<string>();
        if (Goldens.TryPath("baselines/depth/plans.json") is { } path)
            foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(path))!.AsArray())
                data.Add(c!["id"]!.GetValue<string>());
        return data;
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void Apply_PublishedPlan_GivesItsLogitsAndPerplexity(string id)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path("baselines/depth/plans.json")))!.AsArray().First(c => c!["id"]!.GetValue<string>() == id)!;
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"baselines/models/{golden["model"]}"));
        int[] kept = [.. golden["new_layer_from_old"]!.AsArray().Select(v => v!.GetValue<int>())];
        PruningPlan plan = PruningPlan.RemoveBlocks(model.Config.Shape, Enumerable.Range(0, model.Config.Shape.Layers.Length).Except(kept));
        Assert.Equal(golden["params"]!.GetValue<long>(), plan.Target.ParameterCount);
        using LlamaModel cut = ModelSurgery.Apply(model, plan);

        AssertLogits(cut, golden["model"]!.GetValue<string>(), "baselines/depth/logits.safetensors", id);
        var pruner = new LlamaPruner();
        foreach ((string mode, string suffix) in new[] { ("bos_once", "nobos"), ("bos_every_window", "bos") })
        {
            foreach (string corpus in new[] { "wikitext2", "ptb" })
            {
                using var windows = new GoldenTensors("baselines/depth/eval_windows.safetensors");
                int[][] rows = windows.Rows($"{corpus}.L128.{suffix}");
                double expected = golden["ppl"]![mode]![$"ppl_{corpus}"]!.GetValue<double>();
                Near.Equal(expected, pruner.Evaluate(cut, null, rows, PerplexityProtocol.Rows).Perplexity, 0, 1e-5, $"{corpus} {mode}, cut");
                Near.Equal(expected, pruner.Evaluate(model, plan, rows, PerplexityProtocol.Rows).Perplexity, 0, 1e-5, $"{corpus} {mode}, gated");
            }
        }
    }

    [GoldenTheory("baselines/depth/dense_ppl.json")]
    [InlineData("mha12")]
    [InlineData("gqa10")]
    public void Evaluate_DenseModel_GivesThePublishedPerplexity(string name)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path("baselines/depth/dense_ppl.json")))!["ppl"]![name]!;
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"baselines/models/{name}"));
        using var windows = new GoldenTensors("baselines/depth/eval_windows.safetensors");
        foreach (string length in new[] { "L128", "L2048" })
            foreach ((string mode, string suffix) in new[] { ("bos_once", "nobos"), ("bos_every_window", "bos") })
                foreach (string corpus in new[] { "wikitext2", "ptb" })
                    Near.Equal(
                        golden[length]![mode]![$"ppl_{corpus}"]!.GetValue<double>(),
                        new LlamaPruner().Evaluate(model, null, windows.Rows($"{corpus}.{length}.{suffix}"), PerplexityProtocol.Rows).Perplexity,
                        0, 1e-5, $"{corpus} {length} {mode}");
    }

    [GoldenTheory("baselines/depth/greedy_ppl.json")]
    [InlineData("mha12")]
    [InlineData("gqa10")]
    public void Apply_GreedyRemovals_GiveTheReferenceLogits(string name)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path("baselines/depth/greedy_ppl.json")))!.AsArray().First(c => c!["model"]!.GetValue<string>() == name)!;
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"baselines/models/{name}"));
        int[] removed = [.. golden["steps"]!.AsArray().Select(s => s!["picked_original"]!.GetValue<int>())];
        using LlamaModel cut = ModelSurgery.Apply(model, PruningPlan.RemoveBlocks(model.Config.Shape, removed));
        AssertLogits(cut, name, "baselines/depth/logits.safetensors", $"{name}.greedy3");
    }

    public static TheoryData<string> TorchPruningCases()
    {
        var data = new TheoryData<string>();
        if (Goldens.TryPath("baselines/torch-pruning/cases.json") is { } path)
            foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(path))!.AsArray())
                data.Add(c!["id"]!.GetValue<string>());
        return data;
    }

    [Theory]
    [MemberData(nameof(TorchPruningCases))]
    public void Apply_TorchPruningSelection_GivesItsLogits(string id)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path("baselines/torch-pruning/cases.json")))!.AsArray().First(c => c!["id"]!.GetValue<string>() == id)!;
        string name = golden["model"]!.GetValue<string>();
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"baselines/models/{name}"));
        IndexSet Kept(JsonNode? list) => IndexSet.Of(list!.AsArray().Select(v => v!.GetValue<int>()));
        var plan = new PruningPlan
        {
            Source = model.Config.Shape,
            Hidden = Kept(golden["hidden_kept"]),
            Layers = [.. golden["layers"]!.AsArray().Select((l, i) => new LayerPlan(i, Kept(l!["q_heads_kept"]), Kept(l["ffn_kept"])))],
        };
        using LlamaModel cut = ModelSurgery.Apply(model, plan);
        AssertLogits(cut, name, "baselines/torch-pruning/tensors.safetensors", $"{id}.logits");

        // Slicing the residual channels unties a tied model in the reference: it then has a second matrix of the embedding's size.
        long untied = cut.Config.Shape.TiedEmbeddings && !plan.Hidden.IsAll(model.Config.Shape.HiddenSize) ? (long)cut.Config.Shape.VocabSize * cut.Config.Shape.HiddenSize : 0;
        Assert.Equal(golden["params"]!.GetValue<long>(), cut.Config.Shape.ParameterCount + untied);
    }

    // The last 8 positions [2, 8, V] of the probe ids.
    private static void AssertLogits(LlamaModel model, string name, string file, string key)
    {
        using var probe = new GoldenTensors("baselines/models/probe.safetensors");
        using var tensors = new GoldenTensors(file);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor logits = model.forward(tensor(probe.Longs($"{name}.ids"), 2, 24));
        Near.Equal(tensors.Floats(key), logits.narrow(1, 16, 8).contiguous().data<float>().ToArray(), 1e-4, 0, "logits");
    }
}
