// Wanted sparsities by step: of the small configurations, and of LLM-Shearing's own three targets.
using System.Text.Json.Nodes;
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests;

public sealed class L0ScheduleTests
{
    [GoldenFact("shearing/composer-schedule/tables.json")]
    public void Targets_PublishedRuns_MatchReference()
    {
        JsonNode run = JsonNode.Parse(File.ReadAllText(Goldens.Path("shearing/composer-schedule/tables.json")))!["runs"]!.AsArray()
            .Single(r => r!["name"]!.GetValue<string>() == "pruning.sh")!;
        var targets = new Dictionary<string, LlamaShape>
        {
            ["2.7b"] = L0Case.Uniform(2560, 20, 20, 6912, 32, 128),
            ["1.3b"] = L0Case.Uniform(2048, 16, 16, 5504, 24, 128),
            ["370m"] = L0Case.Uniform(1024, 8, 8, 2816, 24, 128),
        };
        foreach ((string name, JsonNode? expected) in run["target_sparsity"]!.AsObject())
        {
            MaskLayout layout = MaskLayout.ForTarget(
                L0Case.Uniform(4096, 32, 32, 11008, 32, 128), targets[name], PruningAxes.Hidden | PruningAxes.QueryHeads | PruningAxes.Intermediate | PruningAxes.Layers);
            var constraint = new SparsityConstraint(layout, new SparsityRamp(run["lagrangian_warmup_steps"]!.GetValue<long>(), run["start_sparsity"]!.GetValue<double>()));
            Assert.Equal(357_408, layout.Families.Sum(f => f.Count));
            Assert.Equal(expected!["prunable_model_size"]!.GetValue<double>(), constraint.Weights.Prunable);
            Assert.Equal(expected["prunable_target_model_size"]!.GetValue<double>(), constraint.Weights.PrunableOfTarget);
            Near.Equal(expected["full"]!["global"]!.GetValue<double>(), constraint.TotalSparsity, 0, 1e-12);
            JsonArray steps = expected["steps"]!.AsArray();
            foreach ((string family, JsonNode? byStep) in expected["by_step"]!.AsObject())
                for (int i = 0; i < steps.Count; i++)
                {
                    double full = family == "global" ? constraint.TotalSparsity : layout[L0Case.AxisOf[family]]!.TargetSparsity!.Value;
                    Near.Equal(byStep![i]!.GetValue<double>(), constraint.Ramp.At(steps[i]!.GetValue<long>(), full), 0, 1e-12, $"{name} {family} step {steps[i]}");
                }
        }
    }

    [GoldenTheory("shearing/l0/targeted-head-intermediate-layer-hidden", "shearing/l0/sparsity-head_layer-mlp")]
    [InlineData("targeted-head-intermediate-layer-hidden"), InlineData("sparsity-head_layer-mlp")]
    public void Targets_SmallConfigurations_MatchReference(string configuration)
    {
        var reference = new L0Case("shearing/l0/" + configuration);
        JsonNode expected = reference.Json["target_sparsity_by_step"]!;
        JsonArray steps = expected["steps"]!.AsArray();
        foreach ((string family, JsonNode? byStep) in expected.AsObject().Where(p => p.Key != "steps"))
            for (int i = 0; i < steps.Count; i++)
            {
                double full = family == "global" ? reference.Constraint.TotalSparsity : reference.Constraint.Layout[L0Case.AxisOf[family]]!.TargetSparsity!.Value;
                Near.Equal(byStep![i]!.GetValue<double>(), reference.Constraint.Ramp.At(steps[i]!.GetValue<long>(), full), 0, 1e-12, $"{family} step {steps[i]}");
            }
    }
}
