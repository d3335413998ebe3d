// The objective inside a training step against autograd through student and teacher written out plainly.
using LlmShearing.Testing.Training;
using LlmShearing.Execution;
using LlmShearing.Testing;
using LlmShearing.Training.Distillation;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests.Distillation;

public class DistillationObjectiveTests
{
    private static readonly BlockPair[] Pairs = [new(0, 1), new(1, 3)];

    private static LlamaModel Teacher() => TinyLlama.Create(TinyLlama.Config(layers: 4), 11);

    private static LlamaModel Student() => TinyLlama.Create(TinyLlama.Config(layers: 2, queryHeads: 2, keyValueHeads: 1, intermediate: 20), 12);

    public static TheoryData<double, double, double> Weights => new() { { 0.5, 0.5, 0 }, { 0, 1, 0 }, { 1, 0, 0 }, { 0, 0, 2 }, { 0.3, 0.7, 0.4 } };

    [Theory]
    [MemberData(nameof(Weights))]
    public void Compute_AnyWeights_EqualsAutograd(double lm, double logits, double states)
    {
        using LlamaModel teacher = Teacher(), student = Student();
        var options = new DistillationOptions { LmWeight = lm, LogitWeight = logits, StateWeight = states, Blocks = Pairs, Logits = new LogitLoss { Temperature = 2 } };
        foreach ((string name, TrainingBatch batch) in StepBatches.All)
        {
            using var full = new FullModel(student);
            (double[] parts, Dictionary<string, float[]> expected) = Plainly(teacher, student, batch, options);
            foreach (bool recompute in new[] { true, false })
            {
                var step = new TrainingStep(full, new TrainingStepOptions { Recompute = recompute, LogitBytes = 2000 }, new DistillationObjective(teacher, options));
                StepLosses losses = step.Compute([batch], 0, 0);
                Near.Equal((lm * parts[0]) + (logits * parts[1]) + (states * parts[2]), losses.Loss, 1e-6, 1e-5, $"{name}: loss");
                Near.Equal(parts[0], losses.Parts["lm"], 1e-6, 1e-5, $"{name}: lm");
                if (logits > 0)
                    Near.Equal(parts[1], losses.Parts["kd"], 1e-6, 1e-5, $"{name}: kd");
                if (states > 0)
                    Near.Equal(parts[2], losses.Parts["hidden"], 1e-6, 1e-5, $"{name}: hidden");
                Dictionary<string, float[]> actual = PlainStep.Take(student);
                foreach ((string weight, float[] gradient) in expected)
                    if (gradient.Any(g => g != 0))
                        Near.Equal(gradient, actual[weight], 1e-4 * gradient.Max(Math.Abs), what: $"{name}: {weight}");
            }
        }

        Assert.All(teacher.NamedWeights(), w => Assert.Null(w.Weight.grad));
    }

    [Fact]
    public void Compute_StudentIsTheTeacher_LossesAreZero()
    {
        using LlamaModel teacher = Teacher(), student = Teacher();
        using var full = new FullModel(student);
        var options = new DistillationOptions { LmWeight = 0, LogitWeight = 1, StateWeight = 1, Blocks = [new(2, 2)] };
        StepLosses losses = new TrainingStep(full, new TrainingStepOptions(), new DistillationObjective(teacher, options)).Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0);
        Near.Equal(0, losses.Loss, 1e-6);
        Assert.True(losses.Parts["lm"] > 1);
    }

    [Fact]
    public void Compute_StreamedTeacher_SameBitsAsResident()
    {
        string folder = Directory.CreateTempSubdirectory("teacher").FullName;
        try
        {
            using LlamaModel teacher = Teacher(), student = Student();
            TinyFolder.Write(teacher, folder);
            using StreamedLlama streamed = StreamedLlama.Open(folder);
            using var full = new FullModel(student);
            var options = new DistillationOptions { StateWeight = 1, Blocks = Pairs };
            double Loss(ILlamaSource source) =>
                new TrainingStep(full, new TrainingStepOptions(), new DistillationObjective(source, options)).Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0).Loss;
            Assert.Equal(Loss(teacher), Loss(streamed));
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Fact]
    public void BlockPairs_OfAPlan_AreKeptBlocksWithTheirSources()
    {
        PruningPlan plan = PruningPlan.RemoveBlocks(TinyLlama.Config(layers: 5).Shape, [0, 3]);
        Assert.Equal([new(0, 1), new(1, 2), new(2, 4)], BlockPair.Of(plan));
    }

    [Fact]
    public void Create_BadOptions_AreRefusedByName()
    {
        using LlamaModel teacher = Teacher();
        void Refused(DistillationOptions options, string expected) =>
            Assert.Contains(expected, Assert.Throws<TrainingException>(() => new DistillationObjective(teacher, options)).Message, StringComparison.Ordinal);
        Refused(new() { LmWeight = -1 }, "LmWeight is -1");
        Refused(new() { LogitWeight = double.NaN }, "LogitWeight is NaN");
        Refused(new() { LmWeight = 0, LogitWeight = 0 }, "all 0");
        Refused(new() { StateWeight = 1 }, "Blocks is empty");
        Refused(new() { Blocks = [new(0, 4)] }, "blocks 0 to 3");
        Refused(new() { Blocks = [new(0, 1), new(0, 2)] }, "block 0 of the student more than once");
        Refused(new() { Logits = new() { Temperature = 0 } }, "Temperature is 0");
        Refused(new() { Logits = new() { TopK = -1 } }, "TopK is -1");
        Refused(new() { Logits = new() { TopK = 3, TopKKind = TopKKind.Partial, Divergence = LogitDivergence.ReverseKl } }, "forward KL only");
    }

    [Fact]
    public void Compute_OtherVocabularyOrWidth_IsRefused()
    {
        using LlamaModel teacher = Teacher(), words = TinyLlama.Create(TinyLlama.Config(vocabulary: 40)), narrow = TinyLlama.Create(TinyLlama.Config(hidden: 12));
        void Refused(LlamaModel student, DistillationOptions options, string expected)
        {
            using var full = new FullModel(student);
            var step = new TrainingStep(full, new TrainingStepOptions(), new DistillationObjective(teacher, options));
            Assert.Contains(expected, Assert.Throws<TrainingException>(() => step.Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8, 40))], 0, 0)).Message, StringComparison.Ordinal);
        }

        Refused(words, new(), "50 tokens in its vocabulary, the student 40");
        Refused(narrow, new() { StateWeight = 1, Blocks = [new(0, 0)] }, "16 channels, those of the student 12");
    }

    private static (double[] Parts, Dictionary<string, float[]> Gradients) Plainly(LlamaModel teacher, LlamaModel student, TrainingBatch batch, DistillationOptions options)
    {
        using var scope = NewDisposeScope();
        (long[] positions, long[] targets) = batch.Scored();
        Tensor scored = tensor(positions);
        (Tensor goal, Tensor[] goalStates) = Plain.Run(teacher, batch, scored);
        (Tensor logits, Tensor[] states) = Plain.Run(student, batch, scored);                                          // [N, V], [N, H] each
        double t = options.Logits.Temperature;
        Tensor lm = logits.log_softmax(-1).gather(1, tensor(targets).unsqueeze(1)).mean().neg();
        Tensor p = (goal / t).softmax(-1);
        Tensor kd = (p * (p.log() - (logits / t).log_softmax(-1))).sum(-1).mean() * (t * t);
        Tensor hidden = stack([.. options.Blocks.Select(b => (states[b.Student] - goalStates[b.Teacher].detach()).square().mean())]).mean();
        ((lm * options.LmWeight) + (kd * options.LogitWeight) + (hidden * options.StateWeight)).backward();
        return ([lm.item<float>(), kd.item<float>(), hidden.item<float>()], PlainStep.Take(student));
    }
}

[Collection("tensor count")]
public class DistillationLeakTests
{
    [Theory]
    [InlineData(BlockMatching.Fixed)]
    [InlineData(BlockMatching.Descending)]
    public void Compute_Repeated_LeavesNoTensor(BlockMatching matching)
    {
        using LlamaModel teacher = TinyLlama.Create(1), student = TinyLlama.Create(2);
        using var full = new FullModel(student);
        var options = new DistillationOptions { StateWeight = 1, Blocks = [new(0, 0), new(1, 1)] };
        if (matching != BlockMatching.Fixed)
            options = options with { Blocks = [], Matching = matching, TeacherBlocks = [0, 2] };
        using StateMap? map = matching == BlockMatching.Fixed ? null : new StateMap(teacher.Config.Shape.HiddenSize);
        var objective = new DistillationObjective(teacher, options, map);
        var step = new TrainingStep(full, new TrainingStepOptions(), objective);
        LeakProbe.AssertNoGrowth(() =>
        {
            step.Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0);
            foreach ((_, var weight) in student.NamedWeights())
                weight.grad = null;
            foreach (TrainableParameter parameter in objective.Parameters)
                parameter.Value.grad = null;
        });
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        LeakProbe.AssertNoGrowth(() => step.Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0, cancelled.Token), mayThrow: true);
    }
}
