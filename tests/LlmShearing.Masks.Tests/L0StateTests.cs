// The mask module of LLM-Shearing in four states of its logits, for five configurations: every number that it computes.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;

namespace LlmShearing.Masks.Tests;

public sealed class L0StateTests
{
    private const string Folder = "shearing/l0/";

    [GoldenTheory(Folder + "targeted-head-intermediate-layer-hidden")]
    [InlineData("init"), InlineData("mixed"), InlineData("wide"), InlineData("near")]
    public void Quantities_TargetOfFourFamilies_MatchReference(string state) => Check("targeted-head-intermediate-layer-hidden", state);

    [GoldenTheory(Folder + "targeted-head_layer-mlp")]
    [InlineData("init"), InlineData("mixed"), InlineData("wide"), InlineData("near")]
    public void Quantities_TargetWithSubBlocks_MatchReference(string state) => Check("targeted-head_layer-mlp", state);

    [GoldenTheory(Folder + "targeted-two-matrix-mlp")]
    [InlineData("init"), InlineData("mixed"), InlineData("wide"), InlineData("near")]
    public void Quantities_OtherParameterWeights_MatchReference(string state) => Check("targeted-two-matrix-mlp", state);

    [GoldenTheory(Folder + "sparsity-head_layer-mlp")]
    [InlineData("init"), InlineData("mixed"), InlineData("wide"), InlineData("near")]
    public void Quantities_BudgetWithoutHidden_MatchReference(string state) => Check("sparsity-head_layer-mlp", state);

    [GoldenTheory(Folder + "sparsity-hidden-nowarmup")]
    [InlineData("init"), InlineData("mixed"), InlineData("wide"), InlineData("near")]
    public void Quantities_BudgetWithHidden_MatchReference(string state) => Check("sparsity-hidden-nowarmup", state);

    private static void Check(string configuration, string name)
    {
        var reference = new L0Case(Folder + configuration);
        using var golden = new GoldenTensors(Folder + configuration + "/states.safetensors");
        JsonNode json = reference.Json["states"]![name]!;
        float[] Tensor(string quantity) => golden.Floats($"{name}/{quantity}");
        using MaskState state = reference.State(f => Tensor("loga." + f), json["lambdas"]);
        state.Clamp();
        foreach (string family in reference.Families)
            Near.Equal(Tensor("loga_clamped." + family), state.Logits(L0Case.AxisOf[family]), 1e-6, what: "logits " + family);
        CheckPerEntry(reference, state, Tensor);
        CheckSample(reference, state, Tensor);
        CheckDeterministic(reference, state, json, Tensor);
        CheckConstraint(reference, state, json, Tensor);
    }

    private static void CheckPerEntry(L0Case reference, MaskState state, Func<string, float[]> tensor)
    {
        IReadOnlyDictionary<PruningAxes, double[]> scores = state.Scores();
        ConstraintValue value = state.Evaluate(0);
        foreach (string family in reference.Families)
        {
            PruningAxes axis = L0Case.AxisOf[family];
            float[] logits = state.Logits(axis).ToArray(), u = tensor("u." + family);
            Near.Equal(tensor("cdf." + family), [.. logits.Select(a => (float)HardConcrete.ProbabilityOfZero(a))], 1e-6, what: "P(z = 0) " + family);
            Near.Equal(tensor("score." + family), [.. scores[axis].Select(s => (float)s)], 1e-6, what: "score " + family);
            Near.Equal(tensor("soft." + family), [.. logits.Select(a => (float)HardConcrete.Soft(a))], 1e-6, what: "soft " + family);
            Near.Equal(tensor("stretched." + family), [.. logits.Zip(u, (a, n) => (float)HardConcrete.Stretched(a, n))], 1e-6, what: "stretched " + family);
            float[] rows = tensor("sparsity." + family);
            Near.Equal(rows.Average(s => (double)s), value.Families.Single(f => f.Family.Axis == axis).Expected, 1e-6, what: "sparsity " + family);
            Assert.Equal(rows.Length, value.Families.Single(f => f.Family.Axis == axis).Family.Rows);
        }
    }

    private static void CheckSample(L0Case reference, MaskState state, Func<string, float[]> tensor)
    {
        MaskSample sample = state.Sample(new GivenNoise(axis => tensor("u." + reference.Families.Single(f => L0Case.AxisOf[f] == axis))));
        foreach (string family in reference.Families)
        {
            PruningAxes axis = L0Case.AxisOf[family];
            float[] coefficients = new float[state.Layout[axis]!.Count];
            foreach (string key in L0Case.MaskKeys(family))
            {
                Near.Equal(tensor("z_train." + key), sample.Values[axis]!.Value.Span, 1e-6, what: "sample " + key);
                float[] part = tensor("coef." + key);
                for (int i = 0; i < part.Length; i++)
                    coefficients[i] += part[i];
            }

            ReadOnlyMemory<float> derivative = sample.Derivative(axis);
            Near.Equal(tensor("grad_weighted_z." + family), [.. coefficients.Zip(derivative.ToArray(), (c, d) => c * d)], 2e-6, what: "gradient through sample " + family);
        }
    }

    private static void CheckDeterministic(L0Case reference, MaskState state, JsonNode json, Func<string, float[]> tensor)
    {
        foreach (string mode in reference.Targeted ? new[] { "target", "expected" } : ["expected"])
        {
            MaskValues values = state.Deterministic(exact: mode == "target");
            foreach (string family in reference.Families)
            {
                float[] actual = values[L0Case.AxisOf[family]]!.Value.ToArray();
                int[] zeros = Ints(json["zeros_" + mode]![family]!), ties = Ints(json["tie_dependent_rows_" + mode]![family]!);
                int size = actual.Length / zeros.Length;
                foreach (string key in L0Case.MaskKeys(family))
                {
                    float[] expected = tensor($"z_eval_{mode}.{key}");
                    for (int row = 0; row < zeros.Length; row++)
                    {
                        float[] theirs = expected[(row * size)..((row + 1) * size)], ours = actual[(row * size)..((row + 1) * size)];
                        Assert.Equal(zeros[row], ours.Count(z => z == 0));
                        if (ties.Contains(row))
                        {
                            float[] logits = state.Logits(L0Case.AxisOf[family]).Slice(row * size, size).ToArray();
                            float cut = logits.Where((_, i) => ours[i] == 0).Max();
                            int[] stay = [.. Enumerable.Range(0, size).Where(i => logits[i] == cut && ours[i] != 0)], go = [.. Enumerable.Range(0, size).Where(i => logits[i] == cut && ours[i] == 0)];
                            bool lowerStays = L0Case.AxisOf[family] < PruningAxes.Attention;
                            Assert.True(lowerStays ? stay.Max() < go.Min() : go.Max() < stay.Min(), $"{key} row {row}: of equal logits the lower indices {(lowerStays ? "stay" : "go")}");
                            (theirs, ours) = ([.. theirs.Order()], [.. ours.Order()]);
                        }

                        Near.Equal(theirs, ours, 1e-6, what: $"{mode} {key} row {row}");
                    }
                }
            }
        }
    }

    private static void CheckConstraint(L0Case reference, MaskState state, JsonNode json, Func<string, float[]> tensor)
    {
        int at = 0;
        foreach (JsonNode? expected in json["lagrangian"]!.AsArray())
        {
            long step = expected!["pruned_steps"]!.GetValue<long>();
            foreach (TrainableParameter parameter in state.Logits.Concat(state.Multipliers))
                parameter.Value.grad = null;
            MaskSample sample = state.Sample(new SeededMaskNoise(1));
            ConstraintValue value = state.AddGradients(sample, new Dictionary<PruningAxes, ReadOnlyMemory<float>>(), step, 1);
            Near.Equal(expected["loss"]!.GetValue<double>(), value.Loss, 1e-5, what: "loss");
            Near.Equal(json["lagrangian_loss_fp64"]![at++]!.GetValue<double>(), value.Loss, 1e-6, what: "loss fp64");
            CheckLog(reference, expected["log"]!, value);
            foreach ((string name, string suffix) in reference.Constrained())
            {
                (Parameter linear, Parameter quadratic) = state.Pair(name);
                Near.Equal(expected["grad_lambdas"]!["lambda_1" + suffix]!.GetValue<double>(), MaskStateExtensions.Gradient(linear)[0], 1e-5, what: "lambda1 " + name);
                Near.Equal(expected["grad_lambdas"]!["lambda_2" + suffix]!.GetValue<double>(), MaskStateExtensions.Gradient(quadratic)[0], 1e-5, what: "lambda2 " + name);
            }

            foreach (string family in reference.Families)
                Near.Equal(tensor($"grad_lagrangian_step{step}.{family}"), state.LogitGradients(L0Case.AxisOf[family]), 1e-6, what: $"gradient {family} at {step}");
        }

        Near.Equal(json["expected_num_params"]!.GetValue<double>(), state.Evaluate(0).ExpectedParameters, 0, 2e-6, "expected parameters");
        Near.Equal(json["expected_num_params_fp64"]!.GetValue<double>(), state.Evaluate(0).ExpectedParameters, 0, 2e-7, "expected parameters fp64");
        Near.Equal(json["expected_sparsity"]!.GetValue<double>(), state.Evaluate(0).ExpectedSparsity, 2e-6, what: "expected sparsity");
    }

    private static void CheckLog(L0Case reference, JsonNode log, ConstraintValue value)
    {
        Near.Equal(log["expected_sparsity"]!.GetValue<double>(), value.ExpectedSparsity, 2e-6, what: "expected sparsity");
        Near.Equal(log["target_sparsity"]!.GetValue<double>(), value.TargetSparsity, 1e-12, what: "target sparsity");
        foreach (string family in reference.Families)
        {
            FamilySparsity sparsity = value.Families.Single(f => f.Family.Axis == L0Case.AxisOf[family]);
            Near.Equal(log[$"expected_{family}_sparsity"]!.GetValue<double>(), sparsity.Expected, 1e-6, what: "expected sparsity " + family);
            Assert.Equal(reference.Targeted, sparsity.Target is not null);
            if (sparsity.Target is { } target)
                Near.Equal(log[$"target_{family}_sparsity"]!.GetValue<double>(), target, 1e-12, what: "target sparsity " + family);
        }
    }

    private static int[] Ints(JsonNode array) => [.. array.AsArray().Select(n => n!.GetValue<int>())];
}
