// Fifteen steps of masks, multipliers and a few weights under the optimizer that training uses.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests;

public sealed class L0TrajectoryTests
{
    private const string Folder = "shearing/l0/";
    private const double Tolerance = 1e-4;

    [GoldenTheory(Folder + "targeted-head-intermediate-layer-hidden")]
    [InlineData("constant-lr"), InlineData("scheduled-clipped")]
    public void Steps_TargetOfFourFamilies_MatchReference(string trajectory) => Run("targeted-head-intermediate-layer-hidden", trajectory);

    [GoldenTheory(Folder + "targeted-head_layer-mlp")]
    [InlineData("constant-lr"), InlineData("scheduled-clipped")]
    public void Steps_TargetWithSubBlocks_MatchReference(string trajectory) => Run("targeted-head_layer-mlp", trajectory);

    [GoldenTheory(Folder + "targeted-two-matrix-mlp")]
    [InlineData("constant-lr"), InlineData("scheduled-clipped")]
    public void Steps_OtherParameterWeights_MatchReference(string trajectory) => Run("targeted-two-matrix-mlp", trajectory);

    [GoldenTheory(Folder + "sparsity-head_layer-mlp")]
    [InlineData("constant-lr"), InlineData("scheduled-clipped")]
    public void Steps_BudgetWithoutHidden_MatchReference(string trajectory) => Run("sparsity-head_layer-mlp", trajectory);

    [GoldenTheory(Folder + "sparsity-hidden-nowarmup")]
    [InlineData("constant-lr"), InlineData("scheduled-clipped")]
    public void Steps_BudgetWithHidden_MatchReference(string trajectory) => Run("sparsity-hidden-nowarmup", trajectory);

    private static void Run(string configuration, string trajectory)
    {
        var reference = new L0Case(Folder + configuration);
        string file = $"{Folder}{configuration}/trajectory-{trajectory}";
        JsonNode json = JsonNode.Parse(File.ReadAllText(Goldens.Path(file + ".json")))!;
        using var golden = new GoldenTensors(file + ".safetensors");
        using MaskState state = reference.State(f => golden.Floats("loga_start." + f));
        float[] goal = golden.Floats("weight_goal"), weights = golden.Floats("weight_start");
        using var weight = new Parameter(tensor(weights));
        using var optimizer = new AdamWOptimizer(
        [
            Group("weights", 0.01, new TrainableParameter("weight", weight)),
            Group("logits", 1, [.. state.Logits]),
            Group("multipliers", 1, [.. state.Multipliers]) with { Maximize = true },
        ]);
        int count = json["max_steps"]!.GetValue<int>();
        LearningRateSchedule? schedule = json["schedule"] is { } s
            ? new LearningRateSchedule(ScheduleKind.ComposerCosine, count, s["t_warmup"]!.GetValue<long>(), s["alpha_f"]!.GetValue<double>())
            : null;
        for (int step = 0; step < count; step++)
        {
            JsonNode expected = json["trajectory"]!["steps"]![step]!;
            CheckMultipliers(reference, state, expected["lambdas"]!, step);
            MaskSample sample = state.Sample(new GivenNoise(axis => Row(golden, "u." + reference.Families.Single(f => L0Case.AxisOf[f] == axis), step)));
            foreach (string family in reference.Families)
                Near.Equal(Row(golden, "loga_at_forward." + family, step), state.Logits(L0Case.AxisOf[family]), Tolerance, what: $"logits {family} at {step}");
            optimizer.ZeroGradients();
            (double task, Dictionary<PruningAxes, ReadOnlyMemory<float>> gradients) = Task(reference, golden, sample);
            using (Tensor values = weight.detach())
                weights = [.. values.data<float>()];
            float[] error = [.. weights.Zip(goal, (w, g) => w - g)];
            using (Tensor gradient = tensor(error))
                weight.grad = gradient;
            task += 0.5 * error.Sum(e => (double)e * e);
            ConstraintValue value = state.AddGradients(sample, gradients, step, 1);
            Near.Equal(expected["task_loss"]!.GetValue<double>(), task, Tolerance, what: $"task loss at {step}");
            Near.Equal(expected["lagrangian_loss"]!.GetValue<double>(), value.Loss, Tolerance, what: $"Lagrangian at {step}");
            Near.Equal(json["loss_fp64"]![step]!.GetValue<double>(), task + value.Loss, Tolerance, what: $"loss at {step}");
            double norm = optimizer.GradientNorm();
            if (expected["grad_norm"] is { } expectedNorm)
                Near.Equal(expectedNorm.GetValue<double>(), norm, Tolerance, what: $"gradient norm at {step}");
            optimizer.Step(
                schedule?.Rates(optimizer.Groups, step) ?? [.. optimizer.Groups.Select(g => g.LearningRate)],
                AdamWOptimizer.ClipScale(norm, json["clip_norm"]?.GetValue<double>() ?? 0));
            using Tensor moved = weight.detach();
            Near.Equal(Row(golden, "weight_after_step", step), [.. moved.data<float>()], Tolerance, what: $"weights after {step}");
        }

        foreach (string family in reference.Families)
            Near.Equal(golden.Floats("loga_final_unclamped." + family), state.Logits(L0Case.AxisOf[family]), Tolerance, what: "final logits " + family);
        CheckMultipliers(reference, state, json["final_lambdas"] ?? json["trajectory"]!["final_lambdas"]!, count);
    }

    // Task loss sum of c z over all masks that the reference returns, and its gradient c.
    private static (double Loss, Dictionary<PruningAxes, ReadOnlyMemory<float>> Gradients) Task(L0Case reference, GoldenTensors golden, MaskSample sample)
    {
        double loss = 0;
        var gradients = new Dictionary<PruningAxes, ReadOnlyMemory<float>>();
        foreach (string family in reference.Families)
        {
            PruningAxes axis = L0Case.AxisOf[family];
            ReadOnlySpan<float> z = sample.Values[axis]!.Value.Span;
            float[] sum = new float[z.Length];
            foreach (string key in L0Case.MaskKeys(family))
            {
                float[] c = golden.Floats("coef." + key);
                for (int i = 0; i < z.Length; i++)
                    (sum[i], loss) = (sum[i] + c[i], loss + ((double)c[i] * z[i]));
            }

            gradients.Add(axis, sum);
        }

        return (loss, gradients);
    }

    private static void CheckMultipliers(L0Case reference, MaskState state, JsonNode expected, int step)
    {
        foreach ((string name, string suffix) in reference.Constrained())
        {
            (Parameter linear, Parameter quadratic) = state.Pair(name);
            Near.Equal(expected["lambda_1" + suffix]!.GetValue<double>(), MaskStateExtensions.Value(linear), Tolerance, what: $"lambda1 {name} at {step}");
            Near.Equal(expected["lambda_2" + suffix]!.GetValue<double>(), MaskStateExtensions.Value(quadratic), Tolerance, what: $"lambda2 {name} at {step}");
        }
    }

    private static ParameterGroup Group(string name, double rate, params TrainableParameter[] parameters) =>
        new() { Name = name, LearningRate = rate, Parameters = parameters };

    private static float[] Row(GoldenTensors golden, string name, int step)
    {
        float[] all = golden.Floats(name);
        int size = all.Length / (int)golden.Shape(name)[0];
        return all[(step * size)..((step + 1) * size)];
    }
}
