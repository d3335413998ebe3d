using LlmShearing.Training.Optimization;

namespace LlmShearing.Lora;

/// <summary>Settings of a recovery run that belong to the trainer, beside <see cref="LoraOptions"/>.</summary>
public sealed record LoraRecipe
{
    /// <summary>
    /// Shortened LLaMA's and LLM-Pruner's recovery on instructions: AdamW (0.9, 0.999) at 1e-4 with 100 steps of warm-up and linear decay to 0, no weight decay, clipping at 1,
    /// batches of 64 sequences in micro-batches of 4, at most 256 tokens each (Nota-NetsPresso/shortened-llm and horseee/LLM-Pruner, training scripts).
    /// </summary>
    public static LoraRecipe ShortenedLlama { get; } = new()
    {
        Optimizer = new OptimizerSettings
        {
            LearningRate = 1e-4,
            Beta1 = 0.9,
            Beta2 = 0.999,
            Epsilon = 1e-8,
            WeightDecay = 0,
            ClipNorm = 1,
            Schedule = ScheduleKind.Linear,
            WarmupSteps = 100,
            FinalFactor = 0,
        },
        BatchSize = 64,
        MicroBatchSize = 4,
        SequenceLength = 256,
    };

    /// <summary>Settings of the optimizer.</summary>
    public required OptimizerSettings Optimizer { get; init; }

    /// <summary>Sequences of one optimizer step.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Sequences that go through the model at once.</summary>
    public required int MicroBatchSize { get; init; }

    /// <summary>Tokens after which a sequence is cut off.</summary>
    public required int SequenceLength { get; init; }
}
