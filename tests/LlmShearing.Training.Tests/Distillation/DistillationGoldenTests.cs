// Values and gradients of goldens/baselines/distill. Left out: `mft.*` (a corrected teacher, which the library does not make) and the balancer (it scales losses by
// each other's values, which are known only after the gradients were needed).
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Distillation;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests.Distillation;

public class DistillationGoldenTests
{
    private const string Root = "baselines/distill";

    private static readonly JsonArray All = JsonNode.Parse(File.ReadAllText(Goldens.Path(Root + "/cases.json")))!["losses"]!.AsArray();

    public static TheoryData<string> Cases => [.. All.Select(c => c!["id"]!.GetValue<string>()).Where(id => !id.StartsWith("mft.", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Compute_ReferenceCase_ValuesAndGradientsAgree(string id)
    {
        JsonNode golden = All.Single(c => c!["id"]!.GetValue<string>() == id)!;
        using var tensors = new GoldenTensors(Root + "/tensors.safetensors");
        using var scope = NewDisposeScope();
        string studentName = golden["student"]!.GetValue<string>();
        long[] shape = tensors.Shape(studentName);
        Tensor student = Read(tensors, studentName), teacher = Read(tensors, golden["teacher"]!.GetValue<string>());   // [n, V] or [n, H]
        Tensor? projection = golden["projection"] is null ? null : Read(tensors, "projection.weight");                  // [H, narrow]
        bool states = studentName.Contains("hidden", StringComparison.Ordinal);
        (Tensor losses, Tensor gradient) = states
            ? StateLoss.Compute(projection is null ? student : student.matmul(projection.t()), teacher, DistanceOf(id))
            : LossOf(golden).Compute(student, teacher);
        if (projection is not null)
            gradient = gradient.matmul(projection);
        float[] weights = WeightsOf(golden, tensors, shape, states);                                                    // of each token in the value
        float[] perToken = losses.data<float>().ToArray();
        if (tensors.Has(id + ".per_token"))
            Near.Equal(tensors.Floats(id + ".per_token"), perToken, 2e-6, 1e-5, "losses");
        Near.Equal(golden["value"]!.GetValue<double>(), perToken.Zip(weights).Sum(p => (double)p.First * p.Second), 2e-6, 1e-5, "value");
        // The reference's gradient with respect to bfloat16 logits is itself rounded to bfloat16.
        double relative = id.EndsWith("bf16", StringComparison.Ordinal) ? 1.0 / 256 : 1e-5;
        Near.Equal(tensors.Floats(id + ".grad_student"), (gradient * tensor(weights).unsqueeze(1)).data<float>().ToArray(), 2e-6, relative, "gradient");
    }

    private static LogitLoss LossOf(JsonNode golden)
    {
        string id = golden["id"]!.GetValue<string>();
        return new LogitLoss
        {
            Temperature = golden["temperature"]!.GetValue<double>(),
            ScaleBySquaredTemperature = !id.StartsWith("mcore.", StringComparison.Ordinal),
            Divergence = golden["reverse"]?.GetValue<bool>() == true || id.Contains("reverse_kl", StringComparison.Ordinal) ? LogitDivergence.ReverseKl
                : id == "plain.js" ? LogitDivergence.JensenShannon : LogitDivergence.ForwardKl,
            TopK = golden["top_k"]?.GetValue<int>() ?? 0,
            TopKKind = id.EndsWith("_without_renormalising", StringComparison.Ordinal) ? TopKKind.Partial
                : id.EndsWith("_teacher_renormalised_cross_entropy", StringComparison.Ordinal) ? TopKKind.TeacherCrossEntropy : TopKKind.Renormalized,
        };
    }

    private static StateDistance DistanceOf(string id) =>
        id.Contains("normalised_mse", StringComparison.Ordinal) ? StateDistance.UnitMeanSquare
        : id.Contains("cosine", StringComparison.Ordinal) ? StateDistance.Cosine : StateDistance.MeanSquare;

    private static float[] WeightsOf(JsonNode golden, GoldenTensors tensors, long[] shape, bool states)
    {
        int tokens = (int)(shape[0] * shape[1]);
        if (golden["reduction"] is not null)
        {
            long[] mask = tensors.Longs("mask");
            return [.. mask.Select(m => m / (float)mask.Sum())];
        }

        double weight = golden["torch_reduction"]?.GetValue<string>() switch
        {
            "mean" => 1.0 / (tokens * shape[2]),
            "batchmean" => 1.0 / shape[0],
            "sum" => 1,
            _ when states => 1.0 / tokens,
            var other => throw new InvalidDataException($"unknown reduction {other}"),
        };
        return [.. Enumerable.Repeat((float)weight, tokens)];
    }

    // [B, S, x] -> [B * S, x]; matrices as they are.
    private static Tensor Read(GoldenTensors tensors, string name)
    {
        long[] shape = tensors.Shape(name);
        float[] values = name.EndsWith("bf16", StringComparison.Ordinal) ? tensors.BFloats(name) : tensors.Floats(name);
        return tensor(values, [values.Length / shape[^1], shape[^1]]);
    }
}
