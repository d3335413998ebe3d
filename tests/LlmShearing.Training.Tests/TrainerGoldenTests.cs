// The transformers Trainer: gradient accumulation over unequally many labels, padding, a tied model, linear decay.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Tests;

public sealed class TrainerGoldenTests
{
    private static readonly JsonNode Run = JsonNode.Parse(File.ReadAllText(Goldens.Path("hf/optim/meta.json")))!["hf_trainer"]!;

    [Fact]
    public void Run_SixStepsNormalisedByLabels_LogsWhatTheTrainerLogs()
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path("hf/models/llama-tied"));
        Train(model, compare: true);
    }

    [GoldenFact("hf/optim/trainer-final.safetensors")]
    public void Run_SixStepsNormalisedByLabels_EndsAtTheTrainersWeights()
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path("hf/models/llama-tied"));
        Train(model, compare: false);
        using var final = new GoldenTensors("hf/optim/trainer-final.safetensors");
        foreach ((string name, var weight) in model.NamedWeights())
            Near.Equal(final.Floats(name), [.. weight.data<float>()], 2e-3, 0, name);
    }

    [Theory]
    [InlineData(LossNormalization.StepLabels, "step0_loss")]
    [InlineData(LossNormalization.StepTokens, "step0_token_mean_for_contrast")]
    [InlineData(LossNormalization.MicroBatchMean, "step0_mean_of_micro_means_for_contrast")]
    public void Compute_FirstStep_DividesAsAsked(LossNormalization normalization, string expected)
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path("hf/models/llama-tied"));
        using var full = new FullModel(model);
        StepLosses losses = new TrainingStep(full, new TrainingStepOptions { Normalization = normalization }).Compute(Batches(0), 0, 0);
        Near.Equal((double)Run[expected]!, losses.Loss, 1e-5, 0, expected);
        Near.Equal((double)Run["step0_token_mean_for_contrast"]!, losses.Parts["lm"], 1e-5, 0, "lm");
    }

    private static void Train(LlamaModel model, bool compare)
    {
        var options = new OptimizerSettings
        {
            LearningRate = (double)Run["learning_rate"]!,
            Beta1 = (double)Run["betas"]![0]!,
            Beta2 = (double)Run["betas"]![1]!,
            Epsilon = (double)Run["eps"]!,
            WeightDecay = (double)Run["weight_decay"]!,
            ClipNorm = (double)Run["max_grad_norm"]!,
            Schedule = ScheduleKind.Linear,
            WarmupSteps = (long)Run["warmup_steps"]!,
            FinalFactor = 0,
        };
        using var full = new FullModel(model);
        using var adam = new AdamWOptimizer(full.Groups(options));
        int steps = (int)Run["steps"]!;
        var schedule = LearningRateSchedule.Of(options, steps);
        var step = new TrainingStep(full, new TrainingStepOptions { Normalization = LossNormalization.StepLabels });
        for (int i = 0; i < steps; i++)
        {
            TrainingBatch[] batches = Batches(i);
            Assert.Equal((int)Run["num_items_in_batch_per_step"]![i]!, batches.Sum(b => b.LabelCount));
            adam.ZeroGradients();
            StepLosses losses = step.Compute(batches, i, 0);
            double norm = adam.GradientNorm();
            IReadOnlyList<double> rates = schedule.Rates(adam.Groups, i);
            adam.Step(rates, AdamWOptimizer.ClipScale(norm, options.ClipNorm));
            if (!compare)
                continue;
            JsonNode logged = Run["logged"]![i]!;
            Near.Equal((double)logged["loss"]!, losses.Loss, 1e-4, 0, $"loss of step {i}");
            Near.Equal((double)logged["grad_norm"]!, norm, 0, 1e-3, $"norm of step {i}");
            Near.Equal((double)logged["learning_rate"]!, rates[0], 0, 1e-12, $"rate of step {i}");
        }
    }

    private static TrainingBatch[] Batches(int step)
    {
        using var data = new GoldenTensors("hf/optim/trainer-data.safetensors");
        int[] ids = data.Ints("input_ids"), labels = data.Ints("labels"), mask = data.Ints("attention_mask");
        int length = (int)data.Shape("input_ids")[1], rows = (int)Run["micro_batch_rows"]!, accumulation = (int)Run["gradient_accumulation"]!;
        return
        [
            .. Enumerable.Range(0, accumulation).Select(k =>
            {
                Range part = (((step * accumulation) + k) * rows * length)..(((((step * accumulation) + k) * rows) + rows) * length);
                return new TrainingBatch(new TokenBatch(rows, length, ids[part], [.. mask[part].Select(m => m != 0)]), labels[part]);
            }),
        ];
    }
}
