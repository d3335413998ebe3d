// The optimizer against PyTorch's and Composer's: ten steps with given gradients, and clipping by the global norm.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class AdamWGoldenTests
{
    private static readonly JsonNode Meta = JsonNode.Parse(File.ReadAllText(Goldens.Path("hf/optim/meta.json")))!;

    public static TheoryData<string> Runs => [.. Meta["optimizers"]!.AsObject().Select(o => o.Key)];

    [Theory]
    [MemberData(nameof(Runs))]
    public void Step_GivenGradients_FollowsTheOriginal(string name)
    {
        JsonNode run = Meta["optimizers"]![name]!;
        using var file = new GoldenTensors($"hf/optim/{name}.safetensors");
        using var scope = NewDisposeScope();
        var parameters = run["shapes"]!.AsObject().ToDictionary(s => s.Key, s => new Parameter(tensor(file.Floats("init." + s.Key), Shape(s.Value!))));
        bool maximize = name.EndsWith("maximize", StringComparison.Ordinal);
        using var adam = new AdamWOptimizer([.. run["groups"]!.AsArray().Select(g => Group(g!, parameters, maximize))]);
        for (int step = 0; step < (int)run["steps"]!; step++)
        {
            foreach ((string p, Parameter value) in parameters)
                value.grad = file.Has($"grad.{step}.{p}") ? tensor(file.Floats($"grad.{step}.{p}"), value.shape) : null;
            adam.Step([.. run["lr_used_per_step"]![step]!.AsArray().Select(r => Math.Abs((double)r!))]);
            foreach ((string p, Parameter value) in parameters)
                Near.Equal(file.Floats($"param.{step}.{p}"), [.. value.data<float>()], 1e-5, 1e-5, $"{p} after step {step}");
        }

        foreach ((string p, Parameter _) in parameters)
        {
            // Composer ascends by a negative rate, so its mean is that of the gradient itself.
            float sign = name.StartsWith("decoupled", StringComparison.Ordinal) && p == "s" ? -1 : 1;
            Near.Equal([.. file.Floats("state.exp_avg." + p).Select(v => sign * v)], [.. adam.State["exp_avg." + p].data<float>()], 1e-5, 1e-5, $"exp_avg of {p}");
            Near.Equal(file.Floats("state.exp_avg_sq." + p), [.. adam.State["exp_avg_sq." + p].data<float>()], 1e-5, 1e-5, $"exp_avg_sq of {p}");
            Assert.Equal(file.Floats("state.step." + p)[0], adam.StepCounts[p]);
        }
    }

    public static TheoryData<int> ClipCases => [.. Meta["clip_grad_norm"]!["cases"]!.AsArray().Select(c => (int)c!["index"]!)];

    [Theory]
    [MemberData(nameof(ClipCases))]
    public void ClipScale_OfTheGlobalNorm_FollowsPyTorch(int index)
    {
        JsonNode expected = Meta["clip_grad_norm"]!["cases"]!.AsArray().Single(c => (int)c!["index"]! == index)!;
        using var file = new GoldenTensors("hf/optim/clip-grad-norm.safetensors");
        using var scope = NewDisposeScope();
        string prefix = index.ToString(System.Globalization.CultureInfo.InvariantCulture);
        int count = (int)expected["tensors"]!;
        Parameter[] parameters = [.. Enumerable.Range(0, count).Select(i => new Parameter(zeros(file.Has($"{prefix}.before.{i}") ? file.Shape($"{prefix}.before.{i}") : [3])))];
        int[] present = [.. Enumerable.Range(0, count).Where(i => file.Has($"{prefix}.before.{i}"))];   // the others have no gradient
        Assert.NotEmpty(present);
        foreach (int i in present)
            parameters[i].grad = tensor(file.Floats($"{prefix}.before.{i}"), parameters[i].shape);
        using var adam = new AdamWOptimizer([new ParameterGroup { Name = "all", LearningRate = 1, Parameters = [.. parameters.Select((p, i) => new TrainableParameter($"p{i}", p))] }]);
        GradientNorm kind = expected["norm_type"]!.ToString() switch
        {
            "2" or "2.0" => GradientNorm.L2,
            "inf" or "Infinity" => GradientNorm.Infinity,
            string other => throw new InvalidDataException($"norm_type {other}"),
        };
        double norm = adam.GradientNorm(kind), large = norm > 1e4 ? 1e-5 : 1e-6;
        JsonNode returned = expected["returned_norm"]!;
        if (returned.GetValueKind() == System.Text.Json.JsonValueKind.String)
            Assert.Equal((string)returned! == "inf" ? double.PositiveInfinity : double.NaN, norm);
        else
            Near.Equal((double)returned, norm, 0, large, "norm");
        float scale = (float)AdamWOptimizer.ClipScale(norm, (double)expected["max_norm"]!);
        foreach (int i in present)
        {
            float[] after = file.Floats($"{prefix}.after.{i}"), before = file.Floats($"{prefix}.before.{i}");
            for (int k = 0; k < after.Length; k++)
                if (float.IsNaN(after[k]))
                    Assert.True(float.IsNaN(before[k] * scale), $"element {k} of {i}");
                else
                    Near.Equal(after[k], before[k] * scale, 0, large, $"element {k} of {i}");
        }
    }

    private static ParameterGroup Group(JsonNode group, Dictionary<string, Parameter> parameters, bool maximize)
    {
        double rate = (double)group["lr"]!;
        return new ParameterGroup
        {
            Name = "group",
            Parameters = [.. group["params"]!.AsArray().Select(p => new TrainableParameter((string)p!, parameters[(string)p!]))],
            LearningRate = Math.Abs(rate),
            WeightDecay = (double)group["weight_decay"]!,
            Beta1 = (double)group["betas"]![0]!,
            Beta2 = (double)group["betas"]![1]!,
            Epsilon = (double)group["eps"]!,
            Decay = (string)group["kind"]! switch { "adam" => DecayKind.L2, "decoupled" => DecayKind.DecoupledFromRate, _ => DecayKind.Decoupled },
            Maximize = maximize || rate < 0,
        };
    }

    private static long[] Shape(JsonNode shape) => [.. shape.AsArray().Select(s => (long)s!)];
}
