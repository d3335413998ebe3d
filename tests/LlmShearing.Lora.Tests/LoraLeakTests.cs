// Every tensor of attaching, running, saving, loading and merging is freed, also when something fails midway.
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

[Collection("tensor count")]
public sealed class LoraLeakTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("leak").FullName;

    [Fact]
    public void AttachTrainSaveMerge_Repeated_LeavesNoTensor()
    {
        using LlamaModel model = TinyLlama.Create();
        LeakProbe.AssertNoGrowth(
            () =>
            {
                using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { ModulesToSave = ["lm_head"], Dropout = 0.1 });
                var trainable = new LoraTrainable(attachment);
                trainable.BeginMicroBatch(new MicroBatchKey(0, 0, 0));
                using (NewDisposeScope())
                    LoraTraining.MeanLoss(model, TinyLlama.Ids(TinyLlama.Batch(1, 2, 6)), [.. Enumerable.Repeat(3L, 12)]).backward();
                trainable.EndMicroBatch(new MicroBatchKey(0, 0, 0), 1);
                foreach (TrainableParameter parameter in attachment.Parameters)
                    parameter.Value.grad = null;
                attachment.Save(Path.Combine(_root, "adapter"), overwrite: true);
                attachment.Merge();
            },
            parametersPerRun: 42);
    }

    [Fact]
    public void LoadAndMergeFolders_Repeated_LeavesNoTensor()
    {
        using LlamaModel model = TinyLlama.Create();
        model.Save(Path.Combine(_root, "base"));
        using (LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { ModulesToSave = ["lm_head"] }))
            attachment.Save(Path.Combine(_root, "adapter"));
        LeakProbe.AssertNoGrowth(() => LoraAttachment.Load(Path.Combine(_root, "adapter"), model).Dispose(), parametersPerRun: 42);
        LeakProbe.AssertNoGrowth(() => LoraMerge.Apply(Path.Combine(_root, "base"), Path.Combine(_root, "adapter"), Path.Combine(_root, "merged"), new LoraMergeOptions { Overwrite = true }));
    }

    [Fact]
    public void Attach_FailingMidway_LeavesNoTensor()
    {
        using LlamaModel model = TinyLlama.Create();
        using IDisposable tap = model.layers[0].mlp!.gate_proj.Attach(new Nothing());
        LeakProbe.AssertNoGrowth(() => new LoraAdapter().Attach(model), parametersPerRun: 10, mayThrow: true);   // four projections, and the one that fails
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private sealed class Nothing : IProjectionTap
    {
        public Tensor? OnForward(Tensor input) => null;
    }
}
