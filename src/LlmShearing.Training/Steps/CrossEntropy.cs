// Cross entropy of a slice of logits with its gradient in place: the logits become the gradient, no second [n, V] matrix is made.
using LlmShearing.Devices;
using LlmShearing.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Steps;

/// <summary>Cross entropy together with its gradient, for objectives.</summary>
public static class CrossEntropy
{
    // Logits that are worked on at once: on the CPU few enough to stay in the caches between the passes over them; elsewhere every slice costs launches, so more.
    private const long ElementsAtOnce = 256 << 10, ElementsElsewhere = 16 << 20;

    /// <summary>Turns logits into scale * d(sum of losses)/d(logits) = scale * (softmax - onehot).</summary>
    /// <param name="logits">[n, V], float32, or contiguous bfloat16 on the CPU; without a graph; overwritten by the gradient. Arithmetic is float32 for both.</param>
    /// <param name="targets">Ids to predict [n], int64, each in [0, V).</param>
    /// <param name="scale">Weight of one token, above 0.</param>
    /// <returns>Sum of the losses, in nats.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not fit.</exception>
    public static double InPlace(Tensor logits, Tensor targets, double scale)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(scale);
        if (logits.dim() != 2 || targets.dim() != 1 || targets.shape[0] != logits.shape[0] || (logits.dtype != ScalarType.Float32 && !CrossEntropyKernel.Serves(logits)))
            throw new ArgumentException($"Expected float32 logits [n, V] (or contiguous bfloat16 on the CPU) and targets [n], found {logits.dtype} [{string.Join(", ", logits.shape)}] and [{string.Join(", ", targets.shape)}].");
        if (CrossEntropyKernel.Serves(logits))
            return CrossEntropyKernel.InPlace(logits, targets, scale);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        long n = logits.shape[0], rows = RowsAtOnce(logits);
        Tensor minus = full([rows, 1], -scale, dtype: ScalarType.Float32, device: logits.device);
        var losses = new Tensor[(n + rows - 1) / rows];
        for (int i = 0; i < losses.Length; i++)
        {
            using var inner = NewDisposeScope();
            long first = i * rows, count = Math.Min(rows, n - first);
            Tensor slice = logits.narrow(0, first, count);                                            // [c, V]
            Tensor target = targets.narrow(0, first, count).unsqueeze(1);                             // [c, 1]
            Tensor logProbability = slice.log_softmax(-1).gather(1, target);                          // [c, 1]
            // softmax * scale = exp(logit - normaliser), where the normaliser includes -ln(scale).
            Tensor normaliser = slice.gather(1, target) - logProbability - Math.Log(scale);           // [c, 1]
            slice.sub_(normaliser).exp_();
            slice.scatter_add_(1, target, minus.narrow(0, 0, count));
            losses[i] = HostValues.WideSum(logProbability).MoveToOuterDisposeScope();
        }

        return losses.Length == 0 ? 0 : -HostValues.Number(stack(losses).sum());
    }

    /// <summary>Rows of logits [n, V] to work on at once; at least 1.</summary>
    internal static long RowsAtOnce(Tensor logits) =>
        Math.Max(1, (logits.device.type == DeviceType.CPU ? ElementsAtOnce : ElementsElsewhere) / logits.shape[1]);

    /// <summary>The objective of plain language modelling.</summary>
    internal sealed class Objective : ITrainingObjective, IMicroBatchObjective
    {
        public bool TakesOwnType => true;

        public IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored) => this;

        public Tensor AtLogits(Tensor logits, Tensor targets, long first, double scale, LossSums losses)
        {
            double sum = InPlace(logits, targets, scale);
            losses.Add("lm", sum);
            losses.Add("loss", sum);
            return logits;
        }

        public void Dispose()
        {
        }
    }
}
