// What a run will need, before it begins: for a dry run, and to choose a batch that fits.
using LlmShearing.Model;
using LlmShearing.Training.Steps;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Runs;

/// <summary>
/// Memory and work of one training step. Weights, gradients, optimizer and checkpoint are exact; activations are counted from the tensors that a block keeps
/// for its backward pass, temporaries of the matrix library not included; work counts matrix products and attention.
/// </summary>
public sealed record TrainingEstimate
{
    /// <summary>Parameters of the model, adapters not included.</summary>
    public required long Parameters { get; init; }

    /// <summary>Parameters that the optimizer moves.</summary>
    public required long TrainableParameters { get; init; }

    /// <summary>Bytes of the model's weights and of parameters trained beside them.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Bytes of gradients: float32 whatever the type of the parameter.</summary>
    public required long GradientBytes { get; init; }

    /// <summary>Bytes of the optimizer: two float32 moments, and a float32 copy of 16-bit parameters.</summary>
    public required long OptimizerBytes { get; init; }

    /// <summary>Bytes of activations at their peak, for one micro-batch: inputs of all blocks and the inside of one (with recomputation) or of all, and logits.</summary>
    public required long ActivationBytes { get; init; }

    /// <summary>Floating-point operations of a step, a multiplication and an addition counting as two.</summary>
    public required double Flops { get; init; }

    /// <summary>Bytes of one checkpoint: trainable parameters and optimizer.</summary>
    public required long CheckpointBytes { get; init; }

    /// <summary>Everything that is in memory at the peak.</summary>
    public long TotalBytes => WeightBytes + GradientBytes + OptimizerBytes + ActivationBytes;

    /// <summary>Estimates a step.</summary>
    /// <param name="trainable">What is trained.</param>
    /// <param name="options">Settings of the run.</param>
    /// <param name="rows">Rows of a micro-batch, at least 1.</param>
    /// <param name="length">Tokens a row, at least 1; all are taken to be scored.</param>
    /// <returns>The estimate.</returns>
    public static TrainingEstimate Of(ITrainable trainable, TrainingRunOptions options, int rows, int length)
    {
        ArgumentNullException.ThrowIfNull(trainable);
        trainable.Model.EnsureAlive();
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        (string Name, Parameter Weight)[] weights = [.. trainable.Model.NamedWeights()];
        Parameter[] trained = [.. trainable.Groups(options.Optimizer).SelectMany(g => g.Parameters).Select(p => p.Value)];
        Parameter[] beside = [.. trained.Where(p => !weights.Any(w => ReferenceEquals(w.Weight, p)))];
        long Bytes(IEnumerable<Parameter> of) => of.Sum(p => p.NumberOfElements * p.dtype.ElementSize());
        long moved = trained.Sum(p => p.NumberOfElements), copies = trained.Where(p => p.dtype != ScalarType.Float32).Sum(p => p.NumberOfElements);
        long optimizer = (2 * sizeof(float) * moved) + (sizeof(float) * copies);
        return new TrainingEstimate
        {
            Parameters = weights.Sum(w => w.Weight.NumberOfElements),
            TrainableParameters = moved,
            WeightBytes = Bytes(weights.Select(w => w.Weight)) + Bytes(beside),
            GradientBytes = sizeof(float) * moved,
            OptimizerBytes = optimizer,
            ActivationBytes = Activations(trainable.Model, options.Step, rows, length),
            Flops = options.GradientAccumulation * Work(trainable.Model, beside, options.Step.Recompute, rows, length),
            CheckpointBytes = Bytes(trained) + optimizer,
        };
    }

    private static long Activations(LlamaModel model, TrainingStepOptions step, int rows, int length)
    {
        LlamaShape shape = model.Config.Shape;
        long size = model.Dtype.ElementSize(), tokens = (long)rows * length;
        long[] blocks = [.. shape.Layers.Select(l => tokens * BlockBytes(l))];
        long inputs = tokens * shape.HiddenSize * size * (shape.Layers.Length + 1);
        long logits = Math.Min(tokens * shape.VocabSize * sizeof(float), Math.Max(step.LogitBytes, (long)shape.VocabSize * sizeof(float)));
        if (!step.Recompute)
            return inputs + blocks.Sum() + logits;
        long block = blocks.DefaultIfEmpty().Max();
        return inputs + (MicroBatchPass.KeepsGraph(true, blocks.Length - 1, blocks.Length) ? block + logits : Math.Max(block, logits));

        // Attention: norm, q, k, v before and after rotation, k and v for every query head, context twice, scores and probabilities in float32.
        // Feed-forward: norm, gate, its silu, up, their product. Sums of the residual stream are inputs of what follows.
        long BlockBytes(LayerShape l)
        {
            long q = (long)l.QueryHeads * shape.HeadDim, kv = (long)l.KeyValueHeads * shape.HeadDim;
            long attention = l.HasAttention ? (((2L * shape.HiddenSize) + (6 * q) + (3 * kv)) * size) + (2L * sizeof(float) * l.QueryHeads * length) : 0;
            long mlp = l.HasMlp ? ((2L * shape.HiddenSize) + (4L * l.IntermediateSize)) * size : 0;
            return attention + mlp;
        }
    }

    // A product costs the same forward, for the gradient of its input and for that of its weight; the last only where the weight is trained.
    private static double Work(LlamaModel model, Parameter[] beside, bool recompute, int rows, int length)
    {
        LlamaShape shape = model.Config.Shape;
        double tokens = (double)rows * length;
        double Products(LlamaBlock block, double passes) => block.parameters().Where(p => p.dim() == 2)
            .Sum(p => 2.0 * tokens * p.NumberOfElements * (passes + (p.requires_grad ? 1 : 0)));
        double total = 0;
        for (int i = 0; i < shape.Layers.Length; i++)
        {
            double passes = MicroBatchPass.KeepsGraph(recompute, i, shape.Layers.Length) ? 2 : 3;
            double attention = 4.0 * tokens * length * shape.Layers[i].QueryHeads * shape.HeadDim;
            total += Products(model.layers[i], passes) + (attention * (passes + 1));
        }

        double head = 2.0 * tokens * shape.VocabSize * shape.HiddenSize * (model.HeadWeight.requires_grad ? 3 : 2);
        double adapters = beside.Where(p => p.dim() == 2).Sum(p => 2.0 * tokens * p.NumberOfElements * (recompute ? 4 : 3));
        return total + head + adapters;
    }
}
