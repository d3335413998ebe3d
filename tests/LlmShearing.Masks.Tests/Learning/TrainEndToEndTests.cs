// The original's own trainer, step by step: 12 steps of mask learning, the cut, 8 steps of continued pretraining (goldens/shearing/train-e2e).
using System.Text.Json.Nodes;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Learning;

[Collection("tensor count")]
public sealed class TrainEndToEndTests
{
    private const string Folder = "shearing/train-e2e/pruning-layer";

    [Fact]
    public void Run_TwelveStepsOfMaskLearning_AreTheOriginals()
    {
        JsonNode golden = Read("pruning/trace.json");
        using var trace = new GoldenTensors($"{Folder}/pruning/trace.safetensors");
        using var folder = new TemporaryFolder();
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"{Folder}/hf-start"));
        using MaskLearner learner = Learner(model, golden, trace);
        IReadOnlyList<JsonNode> log = Train(learner, golden, trace, folder["run"]);

        int accumulation = (int)golden["global_batch"]! / (int)golden["micro_batch"]!;
        JsonNode[] steps = [.. log.Where(l => (string)l["kind"]! == "step")];
        Assert.Equal((int)golden["max_steps"]!, steps.Length);
        for (int i = 0; i < steps.Length; i++)
        {
            JsonNode expected = golden["steps"]![i]!;
            JsonNode[] micro = [.. golden["micro_batches"]!.AsArray().Where(m => (int)m!["step"]! == i)!];
            Near.Equal(micro.Average(m => (double)m["ce_loss"]!), (double)steps[i]["parts"]!["lm"]!, 1e-5, 0, $"ce of step {i}");
            Near.Equal(micro.Average(m => (double)m["lag_loss"]!), (double?)steps[i]["parts"]!["additional"] ?? 0, 2e-5, 0, $"Lagrangian of step {i}");
            Near.Equal((double)expected["grad_norm"]!, (double)steps[i]["gradient_norm"]!, 1e-5, 0, $"gradient norm of step {i}");
            JsonNode logged = micro[accumulation - 1]["l0_log"]!, rates = steps[i]["learning_rate"]!, metrics = steps[i]["metrics"]!;
            Near.Equal((double)expected["lr"]![0]!, (double)rates["matrices"]!, 0, 1e-12, "rate of weights");
            Near.Equal((double)expected["lr"]![0]!, (double)rates["vectors"]!, 0, 1e-12, "rate of norms");
            Near.Equal((double)expected["lr"]![1]!, (double)rates["masks"]!, 0, 1e-12, "rate of masks");
            Near.Equal(-(double)expected["lr"]![2]!, (double)rates["multipliers"]!, 0, 1e-12, "rate of multipliers");
            Near.Equal((double)logged["expected_sparsity"]!, (double)metrics["masks/total/sparsity"]!, 1e-5, 0, "total sparsity");
            foreach (MaskFamily family in learner.Masks.Layout.Families)
            {
                string name = ReferenceNames.Of(family.Axis);
                Near.Equal((double)logged[$"expected_{name}_sparsity"]!, (double)metrics[$"masks/{family.Name}/sparsity"]!, 1e-5, 0, $"{name} sparsity of step {i}");
                Near.Equal((double)logged[$"target_{name}_sparsity"]!, (double)metrics[$"masks/{family.Name}/target"]!, 1e-6, 0, $"{name} target of step {i}");
                for (int k = 1; k <= 2; k++)
                    Near.Equal((double)expected["lambdas_after"]![$"lambda_{k}_{name}"]!, (double)metrics[$"masks/{family.Name}/lambda{k}"]!, 2e-5, 0, $"{name} multiplier {k} of step {i}");
            }
        }

        foreach (TrainingCheckpoint checkpoint in TrainingCheckpoint.List(folder["run"]).Where(c => c.Step > 0))
            CompareCheckpoint(checkpoint, golden, trace);
        CompareEvaluations(golden, log);
        CompareEnd(learner, golden, trace);
    }

    [Fact]
    public void Run_EightStepsAfterTheCut_AreTheOriginals()
    {
        JsonNode golden = Read("continued-pretraining/trace.json");
        using var trace = new GoldenTensors($"{Folder}/continued-pretraining/trace.safetensors");
        using var folder = new TemporaryFolder();
        using LlamaModel source = LlamaModel.Load(Goldens.Path($"{Folder}/hf-start"));
        JsonNode dims = golden["dims"]!;
        LlamaShape shape = TargetShape.Of(source.Config.Shape, Sizes(dims));
        using LlamaModel model = LlamaModel.Random(source.Config with { Shape = shape }, seed: 1);
        using (var pruned = new GoldenTensors($"{Folder}/pruning/pruned.safetensors"))
            foreach ((string name, var weight) in model.NamedWeights())
                Fill(weight, pruned.Floats(ReferenceNames.OfWeight(name)));
        using var full = new FullModel(model);
        IReadOnlyList<JsonNode> log = Train(full, golden, trace, folder["run"]);
        JsonNode[] steps = [.. log.Where(l => (string)l["kind"]! == "step")];
        Assert.Equal((int)golden["max_steps"]!, steps.Length);
        for (int i = 0; i < steps.Length; i++)
        {
            double ce = golden["micro_batches"]!.AsArray().Where(m => (int)m!["step"]! == i).Average(m => (double)m!["ce_loss"]!);
            Near.Equal(ce, (double)steps[i]["loss"]!, 1e-5, 0, $"ce of step {i}");
            Near.Equal((double)golden["steps"]![i]!["grad_norm"]!, (double)steps[i]["gradient_norm"]!, 1e-5, 0, $"gradient norm of step {i}");
        }

        CompareEvaluations(golden, log);
        using var final = new GoldenTensors($"{Folder}/continued-pretraining/final-checkpoint.safetensors");
        CompareWeights(final, model, 2e-6);
    }

    private static void CompareCheckpoint(TrainingCheckpoint checkpoint, JsonNode golden, GoldenTensors trace)
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"{Folder}/hf-start"));
        using MaskLearner learner = Learner(model, golden, trace);
        checkpoint.LoadWeights(learner);
        foreach ((MaskFamily family, TrainableParameter logits) in learner.Masks.Layout.Families.Zip(learner.Masks.Logits))
        {
            string name = ReferenceNames.Of(family.Axis);
            float[] after = trace.Floats($"step{checkpoint.Step - 1}.loga_after.{name}");
            if (checkpoint.Step % (int)golden["eval_interval"]! == 0)   // the evaluation before this checkpoint has clamped them
                after = [.. after.Select(a => (float)HardConcrete.Clamp(a))];
            Near.Equal(after, [.. logits.Value.data<float>()], 5e-4, 0, $"{name} logits after step {checkpoint.Step}");
        }

        if (!trace.Has($"eval_after{checkpoint.Step}.batch0.z.hidden_z"))
            return;
        MaskValues masks = learner.Masks.Deterministic(exact: false);
        foreach (PruningAxes axis in masks.Axes)
        {
            string key = axis == PruningAxes.Layers ? "mlp" : ReferenceNames.Of(axis);
            Near.Equal(trace.Floats($"eval_after{checkpoint.Step}.batch0.z.{key}_z"), masks[axis]!.Value.Span, 2e-4, 0, $"{key} masks after step {checkpoint.Step}");
        }
    }

    private static void CompareEvaluations(JsonNode golden, IReadOnlyList<JsonNode> log)
    {
        JsonNode[] evaluations = [.. log.Where(l => (string)l["kind"]! == "evaluation")];
        JsonArray expected = golden["evaluations"]!.AsArray();
        Assert.Equal(expected.Select(e => (int)e!["after_steps"]!), evaluations.Select(e => (int)e["step"]!));
        foreach ((JsonNode? want, JsonNode found) in expected.Zip(evaluations))
            for (int d = 0; d < want!["set_names"]!.AsArray().Count; d++)
                Near.Equal((double)want["losses"]![d]!, (double)found["sets"]![(string)want["set_names"]![d]!]!, 1e-5, 0, $"held-out loss of {want["set_names"]![d]} after {want["after_steps"]} steps");
    }

    // The run ends at the original's weights and keeps the units that it keeps; the cut of its own checkpoint has its weights.
    private static void CompareEnd(MaskLearner learner, JsonNode golden, GoldenTensors trace)
    {
        using var final = new GoldenTensors($"{Folder}/pruning/final-checkpoint.safetensors");
        CompareWeights(final, learner.Model, 2e-6);
        using LlamaModel model = LlamaModel.Load(Goldens.Path($"{Folder}/hf-start"));
        using MaskLearner original = Learner(model, golden, trace);
        foreach ((string name, var weight) in model.NamedWeights())
            Fill(weight, final.Floats(ReferenceNames.OfWeight(name)));
        foreach ((MaskFamily family, TrainableParameter logits) in original.Masks.Layout.Families.Zip(original.Masks.Logits))
            Fill(logits.Value, final.Floats($"model.l0_module.masks.{ReferenceNames.Of(family.Axis)}.z_loga"));
        MaskValues masks = original.Masks.Deterministic();
        using LlamaModel cut = MaskFold.Apply(model, masks, new MaskFoldOptions { ReferenceOutput = true });
        using var pruned = new GoldenTensors($"{Folder}/pruning/pruned.safetensors");
        CompareWeights(pruned, cut, 2e-6);
        PruningPlan expected = MaskFold.Plan(masks), found = MaskFold.Plan(learner.Masks.Deterministic());
        Assert.Equal(expected.Layers.Select(l => $"{l}"), found.Layers.Select(l => $"{l}"));
        Assert.Equal(expected.Hidden.ToString(), found.Hidden.ToString());
    }

    private static void Fill(Tensor parameter, float[] values)
    {
        using var noGrad = no_grad();
        using Tensor source = tensor(values, parameter.shape);
        parameter.copy_(source);
    }

    private static void CompareWeights(GoldenTensors expected, LlamaModel model, double tolerance)
    {
        foreach ((string name, var weight) in model.NamedWeights())
        {
            Assert.Equal(expected.Shape(ReferenceNames.OfWeight(name)), weight.shape);
            Near.Equal(expected.Floats(ReferenceNames.OfWeight(name)), [.. weight.data<float>()], tolerance, 0, name);
        }
    }

    private static MaskLearner Learner(LlamaModel model, JsonNode golden, GoldenTensors trace)
    {
        JsonNode l0 = golden["l0_module"]!;
        string warmup = (string)l0["lagrangian_warmup_steps"]!;
        LlamaShape target = TargetShape.Of(model.Config.Shape, Sizes(l0["target_model"]!));
        MaskLearningOptions options = MaskLearningOptions.Reference with
        {
            RampSteps = long.Parse(warmup[..^2], System.Globalization.CultureInfo.InvariantCulture),
            StartSparsity = (double)l0["start_sparsity"]!,
            MaskLearningRate = (double)golden["lag_lr"]!,
            MultiplierLearningRate = (double)golden["lag_lr"]!,
        };
        return new MaskLearner(model, MaskLayout.ForTarget(model.Config.Shape, target), options, noise: key => new StoredNoise(trace, key));
    }

    private static TargetSizes Sizes(JsonNode dims) => new()
    {
        Hidden = (int)dims["d_model"]!,
        QueryHeads = (int)dims["n_heads"]!,
        Layers = (int)dims["n_layers"]!,
        Intermediate = (int)dims["intermediate_size"]!,
    };

    private static IReadOnlyList<JsonNode> Train(ITrainable trainable, JsonNode golden, GoldenTensors trace, string run)
    {
        int accumulation = (int)golden["global_batch"]! / (int)golden["micro_batch"]!;
        var options = new TrainingRunOptions
        {
            Steps = (int)golden["max_steps"]!,
            GradientAccumulation = accumulation,
            Optimizer = new OptimizerSettings
            {
                LearningRate = (double)golden["lr"]!,
                Beta1 = (double)golden["betas"]![0]!,
                Beta2 = (double)golden["betas"]![1]!,
                Epsilon = (double)golden["eps"]!,
                WeightDecay = (double)golden["weight_decay"]!,
                ClipNorm = (double)golden["clip_norm"]!,
                Schedule = ScheduleKind.ComposerCosine,
                WarmupSteps = (int)golden["t_warmup"]!,
                FinalFactor = (double)golden["alpha_f"]!,
            },
            EvaluateEvery = (int)golden["eval_interval"]!,
            EvaluateFirst = (bool?)golden["eval_first"] ?? false,
            CheckpointEvery = 1,
            KeepLast = 100,
        };
        string[] domains = [.. golden["domains"]!.AsArray().Select(d => (string)d!)];
        using var data = new StoredBatches(trace, accumulation);
        TrainingResult result = new Trainer().Run(trainable, data, options, run, StoredBatches.HeldOut(trace, domains));
        Assert.Equal(TrainingStop.Completed, result.Stop);
        return [.. File.ReadLines(Path.Combine(run, "log.jsonl")).Select(l => JsonNode.Parse(l)!)];
    }

    private static JsonNode Read(string file) => JsonNode.Parse(File.ReadAllText(Goldens.Path($"{Folder}/{file}")))!;
}
