// Cross entropy without the full logit matrix: the vocabulary projection is walked in slices, so the weight is read once
// for many tokens and the memory stays bounded.
using LlmShearing.Kernels;
using static TorchSharp.torch;

namespace LlmShearing.Execution;

/// <summary>Per-token losses of hidden states.</summary>
public static class TokenLosses
{
    // A slice of logits and its exponentials take 8 MiB together: small beside a block, large enough for full speed.
    private const long VocabularyRows = 2048;
    private const long TokensAtOnce = 512;

    /// <summary>Negative log-likelihood of target ids, in nats, float32: logsumexp(logits) - logits[target].</summary>
    /// <param name="source">The model.</param>
    /// <param name="normed">States after the final norm [N, H].</param>
    /// <param name="targets">Target ids [N], int64.</param>
    /// <returns>[N], float32, in the caller's dispose scope.</returns>
    public static Tensor Compute(ILlamaSource source, Tensor normed, Tensor targets)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(normed);
        ArgumentNullException.ThrowIfNull(targets);
        if (normed.shape.Length != 2 || targets.shape.Length != 1 || normed.shape[0] != targets.shape[0])
            throw new ArgumentException($"Expected states [N, H] and targets [N], found [{string.Join(", ", normed.shape)}] and [{string.Join(", ", targets.shape)}].");
        using var scope = NewDisposeScope();
        long n = normed.shape[0];
        var parts = new Tensor[(n + TokensAtOnce - 1) / TokensAtOnce];
        Tensor?[] sums = new Tensor?[parts.Length];
        LogSumExpKernel?[] kernels = new LogSumExpKernel?[parts.Length];
        foreach ((_, Tensor weight) in source.HeadChunks(VocabularyRows))
        {
            for (int i = 0; i < sums.Length; i++)
            {
                using var inner = NewDisposeScope();
                Tensor logits = LinearProduct.Forward(Slice(normed, i), weight, null);                   // [n, rows]
                if (LogSumExpKernel.Serves(logits))
                {
                    (kernels[i] ??= new LogSumExpKernel((int)logits.shape[0])).Add(logits);
                    continue;
                }

                logits = logits.to(ScalarType.Float32);
                Tensor sum = logits.logsumexp(-1);                                                       // [n]
                if (sums[i] is { } old)
                {
                    sum = sum.logaddexp(old);
                    sums[i] = sum.MoveToOuterDisposeScope();
                    old.Dispose();
                }
                else
                {
                    sums[i] = sum.MoveToOuterDisposeScope();
                }
            }
        }

        for (int i = 0; i < parts.Length; i++)
        {
            using var inner = NewDisposeScope();
            Tensor rows = source.HeadRows(Slice(targets, i));                                            // [n, H]
            Tensor target = (Slice(normed, i).to(ScalarType.Float32) * rows.to(ScalarType.Float32)).sum(-1);
            Tensor sum = kernels[i] is { } kernel ? tensor(kernel.Values(), device: normed.device) : sums[i]!;
            parts[i] = (sum - target).MoveToOuterDisposeScope();
        }

        return cat(parts, 0).MoveToOuterDisposeScope();
    }

    private static Tensor Slice(Tensor x, int part) =>
        x.narrow(0, part * TokensAtOnce, Math.Min(TokensAtOnce, x.shape[0] - (part * TokensAtOnce)));
}
