// CoFi's masks under one total sparsity: the same distribution and Lagrangian, with its own count of parameters (biases, two feed-forward matrices).
using System.Text.Json.Nodes;
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests;

public sealed class CoFiTests
{
    private const string Folder = "baselines/cofi";

    [GoldenTheory(Folder)]
    [InlineData("l0.c0.hidden"), InlineData("l0.c0.nohidden"), InlineData("l0.c1.hidden"), InlineData("l0.c1.nohidden")]
    public void Masks_TotalSparsity_MatchReference(string id)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Goldens.Path(Folder + "/cases.json")))!["l0"]!.AsArray().Single(c => c!["id"]!.GetValue<string>() == id)!;
        using var golden = new GoldenTensors(Folder + "/tensors.safetensors");
        float[] Tensor(string name) => golden.Floats($"{id}.{name}");
        string[] families = [.. json["types"]!.AsArray().Select(n => n!.GetValue<string>())];
        SparsityConstraint constraint = Constraint(json, families);
        var scores = new Dictionary<PruningAxes, double[]>();
        foreach (string family in families)
        {
            // The original clamps after an optimizer step, and these logits were not.
            float[] logits = Tensor("loga." + family), uniforms = Tensor("u." + family), z = new float[logits.Length];
            PruningAxes axis = L0Case.AxisOf[family];
            scores.Add(axis, [.. logits.Select(a => HardConcrete.Score(a).Value)]);
            Near.Equal(Tensor("loga_clamped." + family), [.. logits.Select(a => (float)HardConcrete.Clamp(a))], 1e-6, what: "logits " + family);
            Near.Equal(Tensor($"z_train.{family}_z"), [.. logits.Zip(uniforms, (a, u) => (float)HardConcrete.Sample(a, u).Value)], 1e-6, what: "sample " + family);
            Near.Equal(Tensor("p_nonzero." + family), [.. scores[axis].Select(s => (float)s)], 1e-6, what: "score " + family);

            // CoFi decides about each sub-block by itself, LLM-Shearing (and this library) about their number.
            int size = family is "mlp" or "head_layer" ? 1 : constraint.Layout[axis]!.Size;
            for (int start = 0; start < z.Length; start += size)
                Survivors.Fill(logits.AsSpan(start, size), Survivors.ExpectedZeros(logits.AsSpan(start, size)), z.AsSpan(start, size));
            Near.Equal(Tensor($"z_eval.{family}_z"), z, 1e-6, what: "deterministic " + family);
        }

        MultiplierPair[] multipliers = [new(json["lambda_1"]!.GetValue<double>(), json["lambda_2"]!.GetValue<double>())];
        foreach (JsonNode? expected in json["lagrangian"]!.AsArray())
        {
            long step = expected!["step"]!.GetValue<long>();
            ConstraintValue value = constraint.Evaluate(scores, multipliers, step);
            Near.Equal(expected["loss"]!.GetValue<double>(), value.Loss, 1e-6, what: $"loss at {step}");
            Near.Equal(expected["expected_sparsity"]!.GetValue<double>(), value.ExpectedSparsity, 1e-6, what: $"sparsity at {step}");
            Near.Equal(expected["target_sparsity"]!.GetValue<double>(), value.TargetSparsity, 1e-12, what: $"target at {step}");
            Near.Equal(expected["grad_lambda_1"]!.GetValue<double>(), value.MultiplierGradients[0].Linear, 1e-6, what: $"lambda1 at {step}");
            Near.Equal(expected["grad_lambda_2"]!.GetValue<double>(), value.MultiplierGradients[0].Quadratic, 1e-6, what: $"lambda2 at {step}");
            Near.Equal(json["expected_size"]!.GetValue<double>(), value.ExpectedParameters, 0, 1e-6, "expected size");
        }

        ConstraintValue last = constraint.Evaluate(scores, multipliers, 250);
        foreach (string family in families)
            Near.Equal(
                Tensor("grad_at_step250." + family),
                [.. Tensor("loga." + family).Zip(last.ScoreGradients[L0Case.AxisOf[family]], (a, g) => (float)(g * HardConcrete.Score(a).Derivative))],
                1e-6,
                what: "gradient " + family);
    }

    private static SparsityConstraint Constraint(JsonNode json, string[] families)
    {
        JsonNode config = json["config"]!;
        int hidden = config["hidden_size"]!.GetValue<int>(), heads = config["num_attention_heads"]!.GetValue<int>();
        LlamaShape shape = L0Case.Uniform(hidden, heads, heads, config["intermediate_size"]!.GetValue<int>(), config["num_hidden_layers"]!.GetValue<int>(), hidden / heads);
        MaskLayout layout = MaskLayout.ForBudget(shape, families.Aggregate(PruningAxes.None, (all, f) => all | L0Case.AxisOf[f]));
        JsonNode perUnit = json["parameters_per_dim"]!;
        var weights = new ParameterWeights
        {
            PerQueryHead = perUnit["head"]!.GetValue<double>(),   // with its key/value head
            PerKeyValueHead = 0,

            // With a mask of the hidden size CoFi leaves the bias of a channel out.
            PerIntermediateChannel = families.Contains("hidden") ? 2 * hidden : perUnit["intermediate"]!.GetValue<double>(),
            Prunable = json["prunable_model_size"]!.GetValue<double>(),
        };
        return new SparsityConstraint(
            layout, new SparsityRamp(json["lagrangian_warmup"]!.GetValue<long>(), json["start_sparsity"]!.GetValue<double>()), json["target_sparsity"]!.GetValue<double>(), weights);
    }
}
