// Everything that computes with adapters, as a table: under the traps it gives the same numbers as without.
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests.Devices;

[Collection("tensor count")]
public sealed class StaysOnDeviceTests
{
    private static readonly LoraOptions Dropping = new() { Dropout = 0.3, Seed = 5 };

    private static readonly Dictionary<string, Func<double[]>> All = new()
    {
        ["train grouped"] = () => Train("grouped", Dropping),
        ["train uneven"] = () => Train("uneven", Dropping),
        ["train tied"] = () => Train("tied", Dropping with { Init = LoraInit.Gaussian }),
        ["train biased"] = () => Train("biased", Dropping),
        ["train with a module in full"] = () => Train("grouped", Dropping with { ModulesToSave = ["norm"] }),
        ["train on bfloat16"] = () => Train("grouped", Dropping, ScalarType.BFloat16),
        ["merge"] = Merge,
        ["save, load and merge the folder"] = SaveAndLoad,
    };

    public static TheoryData<string> Names => [.. All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Work_UnderTraps_GivesTheSameNumbers(string name) => DeviceTraps.AssertStays(All[name], name.Contains("bfloat16", StringComparison.Ordinal) ? 5e-3 : 1e-4);

    private static double[] Train(string kind, LoraOptions options, ScalarType type = ScalarType.Float32)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(kind), 2, type);
        using LoraAttachment attachment = new LoraAdapter(options).Attach(model);
        var trainable = new LoraTrainable(attachment);
        IReadOnlyList<ParameterGroup> groups = trainable.Groups(new OptimizerSettings { LearningRate = 0.01 });
        using var optimizer = new AdamWOptimizer(groups);
        var step = new TrainingStep(trainable, new TrainingStepOptions());
        var numbers = new List<double>();
        for (int i = 0; i < 3; i++)
        {
            StepLosses losses = step.Compute([new TrainingBatch(TinyLlama.Batch(i, 2, 9)), new TrainingBatch(TinyLlama.Batch(9, 3, 5))], i, 4);
            numbers.AddRange([losses.Loss, optimizer.GradientNorm()]);
            if (type == ScalarType.BFloat16)
            {
                // Adam turns a gradient that is nothing but rounding into a whole step, so here the gradients themselves are looked at.
                using var inner = NewDisposeScope();
                return [.. numbers, .. attachment.Parameters.SelectMany(p => DeviceTraps.Numbers(p.Value.grad!))];
            }

            optimizer.Step([.. groups.Select(_ => 0.01)]);
            optimizer.ZeroGradients();
        }

        using var scope = NewDisposeScope();
        numbers.AddRange(attachment.Parameters.SelectMany(p => DeviceTraps.Numbers(p.Value)));
        return [.. numbers];
    }

    private static double[] Merge()
    {
        using LlamaModel model = TinyLlama.Create(2);
        using LoraAttachment attachment = Scattered(model);
        attachment.Merge();
        using var scope = NewDisposeScope();
        return [.. model.NamedWeights().SelectMany(w => DeviceTraps.Numbers(w.Weight))];
    }

    private static double[] SaveAndLoad()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TinyLlama.Create(2);
        TinyFolder.Write(model, folder["base"]);
        using (LoraAttachment attachment = Scattered(model))
            attachment.Save(folder["adapter"]);
        LoraMerge.Apply(folder["base"], folder["adapter"], folder["merged"]);
        using LlamaModel merged = LlamaModel.Load(folder["merged"], device: CPU);
        using LoraAttachment loaded = LoraAttachment.Load(folder["adapter"], model);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        TokenBatch batch = TinyLlama.Batch(1, 2, 7);
        return [.. new[] { merged, model }.SelectMany(m => DeviceTraps.Numbers(m.forward(TokenIds.ToTensor(batch, m))))];
    }

    private static LoraAttachment Scattered(LlamaModel model)
    {
        LoraAttachment attachment = new LoraAdapter(Dropping).Attach(model);
        using var noGrad = no_grad();
        foreach (TrainableParameter parameter in attachment.Parameters)
            parameter.Value.add_(0.05);
        return attachment;
    }
}
