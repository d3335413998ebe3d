// One base in memory: a student of fewer blocks learns from the whole with adapters that the teacher does not see.
using LlmShearing.Surgery;
using LlmShearing.Testing;
using LlmShearing.Training.Distillation;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;

namespace LlmShearing.Lora.Tests;

public class SharedTeacherTests
{
    [Fact]
    public void Attach_ToSharedBlocks_TeacherIsNotAffectedAndStudentLearns()
    {
        using LlamaModel teacher = TinyLlama.Create(TinyLlama.Config(layers: 4));
        PruningPlan plan = PruningPlan.RemoveBlocks(teacher.Config.Shape, [2]);
        using LlamaModel student = teacher.ShareBlocks(plan);
        float[] before = TinyLora.Logits(teacher);
        Dictionary<string, byte[]> weights = TinyLora.Weights(teacher);
        using LoraAttachment attachment = new LoraAdapter(new LoraOptions { Rank = 4 }).Attach(student);
        var trainable = new LoraTrainable(attachment);
        var options = new OptimizerSettings { LearningRate = 0.01 };
        using var optimizer = new AdamWOptimizer(trainable.Groups(options));
        var objective = new DistillationObjective(teacher, new DistillationOptions { LmWeight = 0, LogitWeight = 1, StateWeight = 0.1, Blocks = BlockPair.Of(plan) });
        var step = new TrainingStep(trainable, new TrainingStepOptions(), objective);
        var losses = new List<double>();
        for (int i = 0; i < 30; i++)
        {
            optimizer.ZeroGradients();
            losses.Add(step.Compute([new TrainingBatch(TinyLlama.Batch(1, 4, 12))], i, 0).Loss);
            optimizer.Step([.. optimizer.Groups.Select(_ => options.LearningRate)]);
        }

        Assert.True(losses[^1] < 0.5 * losses[0], $"{losses[0]} -> {losses[^1]}");
        Assert.Equal(before, TinyLora.Logits(teacher));
        Assert.Equal(weights, TinyLora.Weights(teacher));

        // The adapter fits the cut of the same plan, and computes the same there.
        string folder = Path.Combine(Directory.CreateTempSubdirectory("shared").FullName, "adapter");
        attachment.Save(folder);
        using LlamaModel cut = ModelSurgery.Apply(teacher, plan);
        using LoraAttachment loaded = LoraAttachment.Load(folder, cut);
        Assert.Equal(TinyLora.Logits(student), TinyLora.Logits(cut));
        Directory.Delete(Path.GetDirectoryName(folder)!, recursive: true);
    }

    [Fact]
    public void MergeOrModulesToSave_OnSharedBlocks_AreRefused()
    {
        using LlamaModel teacher = TinyLlama.Create();
        using LlamaModel student = teacher.ShareBlocks(PruningPlan.RemoveBlocks(teacher.Config.Shape, [1]));
        Assert.Contains("shares its weights", Assert.Throws<LoraException>(() => new LoraAdapter(new LoraOptions { ModulesToSave = ["norm"] }).Attach(student)).Message, StringComparison.Ordinal);
        using LoraAttachment attachment = TinyLora.Attach(student);
        Dictionary<string, byte[]> weights = TinyLora.Weights(teacher);
        Assert.Throws<LoraException>(() => attachment.Merge());
        Assert.Equal(weights, TinyLora.Weights(teacher));
    }
}
