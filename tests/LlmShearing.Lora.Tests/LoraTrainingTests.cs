// Five steps of AdamW as PEFT and PyTorch make them, through the library's own training step; and what dropout means for it.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public class LoraTrainingTests
{
    public static TheoryData<string> Cases => LoraCase.Present(c => c.Meta.ContainsKey("training"));

    [Theory]
    [MemberData(nameof(Cases))]
    public void FiveSteps_PeftRun_LossesNormsTensorsAndLogitsAgree(string name)
    {
        var golden = new LoraCase(name);
        using GoldenTensors reference = golden.Reference(), trained = new(golden.Relative + "/train.safetensors");
        JsonObject run = golden.Meta["training"]!.AsObject();
        double rate = run["lr"]!.GetValue<double>();
        using LlamaModel model = golden.LoadBase();
        using LoraAttachment attachment = LoraAttachment.Load(golden.Folder, model);
        var trainable = new LoraTrainable(attachment);
        var options = new OptimizerSettings
        {
            LearningRate = rate,
            Beta1 = run["betas"]![0]!.GetValue<double>(),
            Beta2 = run["betas"]![1]!.GetValue<double>(),
            Epsilon = run["eps"]!.GetValue<double>(),
            WeightDecay = run["weight_decay"]!.GetValue<double>(),
        };
        using var optimizer = new AdamWOptimizer(trainable.Groups(options));
        var step = new TrainingStep(trainable, new TrainingStepOptions());
        long[] shape = trained.Shape("batches");
        int[] all = trained.Ints("batches");
        for (int i = 0; i < shape[0]; i++)
        {
            int rows = (int)shape[1], length = (int)shape[2];
            var batch = new TrainingBatch(TokenBatch.FromRows([.. Enumerable.Range(0, rows).Select(r => all.AsSpan(((i * rows) + r) * length, length).ToArray())]));
            optimizer.ZeroGradients();
            using (trainable.BeginEvaluation())   // the reference trained without dropout, whatever its config says
                Near.Equal(run["losses"]![i]!.GetValue<double>(), step.Compute([batch], i, 0).Loss, 1e-4, what: $"loss of step {i}");
            Near.Equal(run["grad_norms"]![i]!.GetValue<double>(), optimizer.GradientNorm(), 1e-4, 1e-4, $"norm of step {i}");
            optimizer.Step([.. optimizer.Groups.Select(_ => rate)]);
        }

        foreach (TrainableParameter parameter in attachment.Parameters)
            Near.Equal(trained.Floats("final." + parameter.Name), TinyLora.Values(parameter.Value), 2e-4, what: parameter.Name);
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        Near.Equal(trained.Floats("eval_logits_attached"), LoraCase.Floats(model.forward(LoraCase.Ids(reference))), 1e-3, what: "logits");
        attachment.Merge();
        Near.Equal(trained.Floats("eval_logits_merged"), LoraCase.Floats(model.forward(LoraCase.Ids(reference))), 1e-3, what: "merged logits");
    }

    [Theory]
    [InlineData(3)]
    [InlineData(12)]   // so deep that the last block is run twice as well
    public void Compute_WithDropout_RecomputedOrNot_SameGradients(int layers)
    {
        float[][] Gradients(bool recompute)
        {
            using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers));
            using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { Dropout = 0.3 });
            var step = new TrainingStep(new LoraTrainable(attachment), new TrainingStepOptions { Recompute = recompute });
            step.Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8)), new TrainingBatch(TinyLlama.Batch(2, 2, 8))], 4, 9);
            return [.. attachment.Parameters.Select(p => TinyLora.Values(p.Value.grad!))];
        }

        float[][] expected = Gradients(false), actual = Gradients(true);
        for (int i = 0; i < expected.Length; i++)
            Near.Equal(expected[i], actual[i], layers > 3 ? 1e-3 * expected[i].Max(Math.Abs) : 1e-6, 1e-5, $"gradient {i}");   // rounding grows with depth
        Assert.Contains(expected[0], g => g != 0);
    }

    [Fact]
    public void Compute_FrozenBase_OnlyAdaptersGetGradients()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model);
        var step = new TrainingStep(new LoraTrainable(attachment), new TrainingStepOptions());
        step.Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0);
        Assert.All(model.NamedWeights(), w => Assert.Null(w.Weight.grad));
        Assert.All(attachment.Parameters, p => Assert.NotNull(p.Value.grad));
    }
}
