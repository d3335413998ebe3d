// Whole runs against PyTorch and transformers: losses, gradient norms, final weights, and going on from the middle.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class FineTuneTests
{
    private static readonly JsonNode Meta = JsonNode.Parse(File.ReadAllText(Goldens.Path("hf/optim/meta.json")))!;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_TwentySteps_FollowsPyTorch(bool recompute)
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path("hf/models/llama-gqa"));
        using var full = new FullModel(model);
        using var adam = new AdamWOptimizer(full.Groups(Options()));
        FineTune(full, adam, recompute, 0, 20);
        Near(model, "hf/optim/finetune-final.safetensors", "", 1e-3);
    }

    [GoldenFact("hf/optim/finetune-step10.safetensors")]
    public void Run_TenStepsThenTheRestFromTheStoredState_EndsAtTheSameWeights()
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path("hf/models/llama-gqa"));
        using var full = new FullModel(model);
        using (var adam = new AdamWOptimizer(full.Groups(Options())))
        {
            FineTune(full, adam, true, 0, 10);
            Near(model, "hf/optim/finetune-step10.safetensors", "model.", 1e-3);
            using var stored = new GoldenTensors("hf/optim/finetune-step10.safetensors");
            foreach ((string name, Tensor value) in adam.State)
                Testing.Near.Equal(stored.Floats(name), [.. value.data<float>()], 1e-4, 1e-2, name);
            Assert.All(adam.StepCounts.Values, count => Assert.Equal(10, count));
        }

        using var fresh = new AdamWOptimizer(full.Groups(Options()));
        Load(model, fresh);
        FineTune(full, fresh, true, 10, 20);
        Near(model, "hf/optim/finetune-final.safetensors", "", 1e-3);
    }

    private static OptimizerSettings Options()
    {
        JsonNode o = Meta["finetune"]!["optimizer"]!;
        return new OptimizerSettings
        {
            LearningRate = (double)o["lr"]!,
            Beta1 = (double)o["betas"]![0]!,
            Beta2 = (double)o["betas"]![1]!,
            Epsilon = (double)o["eps"]!,
            WeightDecay = (double)o["weight_decay_2d"]!,
            ClipNorm = (double)Meta["finetune"]!["clip_max_norm"]!,
            WarmupSteps = (long)Meta["finetune"]!["schedule"]!["num_warmup_steps"]!,
            FinalFactor = 0,
        };
    }

    private static void FineTune(FullModel full, AdamWOptimizer adam, bool recompute, int first, int end)
    {
        JsonNode run = Meta["finetune"]!;
        using var batches = new GoldenTensors("hf/optim/finetune-batches.safetensors");
        int[] pool = batches.Ints("pool");                                                // [4, 2, 2, 16]
        var schedule = LearningRateSchedule.Of(Options(), 20);
        var step = new TrainingStep(full, new TrainingStepOptions { Recompute = recompute, Normalization = LossNormalization.MicroBatchMean });
        for (int i = first; i < end; i++)
        {
            int index = (int)run["pool_index_per_step"]![i]!;
            adam.ZeroGradients();
            StepLosses losses = step.Compute([.. Enumerable.Range(0, 2).Select(k => new TrainingBatch(new TokenBatch(2, 16, pool.AsSpan(((index * 2) + k) * 32, 32).ToArray())))], i, 1);
            Testing.Near.Equal((double)run["loss_per_step"]![i]!, losses.Loss, 1e-4, 0, $"loss of step {i}");
            double norm = adam.GradientNorm();
            Testing.Near.Equal((double)run["grad_norm_before_clip_per_step"]![i]!, norm, 0, 1e-3, $"norm of step {i}");
            IReadOnlyList<double> rates = schedule.Rates(adam.Groups, i);
            Testing.Near.Equal((double)run["lr_per_step"]![i]!, rates[0], 0, 1e-12, $"rate of step {i}");
            adam.Step(rates, AdamWOptimizer.ClipScale(norm, Options().ClipNorm));
        }
    }

    private static void Load(LlamaModel model, AdamWOptimizer adam)
    {
        using var stored = new GoldenTensors("hf/optim/finetune-step10.safetensors");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach ((string name, var weight) in model.NamedWeights())
            weight.copy_(tensor(stored.Floats("model." + name), weight.shape));
        foreach ((string name, Tensor value) in adam.State)
            value.copy_(tensor(stored.Floats(name), value.shape));
        adam.CompleteRestore(adam.StepCounts.Keys.ToDictionary(n => n, _ => 10L));
    }

    private static void Near(LlamaModel model, string file, string prefix, double tolerance)
    {
        using var stored = new GoldenTensors(file);
        foreach ((string name, var weight) in model.NamedWeights())
            Testing.Near.Equal(stored.Floats(prefix + name), [.. weight.data<float>()], tolerance, 0, name);
    }
}
