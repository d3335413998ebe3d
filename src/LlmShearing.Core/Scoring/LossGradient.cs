// Gradient of the cross entropy with respect to the final states, without the full logit matrix and without a graph:
// dL/dx = scale * (softmax(x Wᵀ) - onehot) W, the vocabulary walked in slices. Twice: once for the normaliser, once for the product.
using LlmShearing.Execution;
using LlmShearing.Kernels;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

internal static class LossGradient
{
    private const long VocabularyRows = 4096;
    private const long TokensAtOnce = 1024;

    /// <summary>Losses of the targets and scale * d(sum of losses)/d(states).</summary>
    /// <param name="source">The model.</param>
    /// <param name="normed">States after the final norm [N, H]; no graph is made.</param>
    /// <param name="targets">Target ids [N], int64.</param>
    /// <param name="scale">Weight of each token; 1 / N for a mean.</param>
    /// <returns>Losses [N] in nats and gradient [N, H], float32, in the caller's dispose scope.</returns>
    public static (Tensor Losses, Tensor Gradient) Compute(ILlamaSource source, Tensor normed, Tensor targets, double scale)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor x = normed.detach();                                                               // [N, H]
        Tensor rows = source.HeadRows(targets).to(ScalarType.Float32);                            // [N, H]
        Tensor losses = TokenLosses.Compute(source, x, targets);                                  // [N]
        Tensor normaliser = losses + (x.to(ScalarType.Float32) * rows).sum(-1);                   // [N], logsumexp of the logits
        Tensor gradient = rows.neg_();                                                            // [N, H]
        long n = x.shape[0];
        foreach ((_, Tensor weight) in source.HeadChunks(VocabularyRows))
        {
            for (long start = 0; start < n; start += TokensAtOnce)
            {
                using var inner = NewDisposeScope();
                long count = Math.Min(TokensAtOnce, n - start);
                Tensor p = LinearProduct.Forward(x.narrow(0, start, count), weight, null).to(ScalarType.Float32);   // [n, rows]
                p.sub_(normaliser.narrow(0, start, count).unsqueeze(1)).exp_();
                gradient.narrow(0, start, count).add_(LinearProduct.InputGradient(p.to(weight.dtype), weight).to(ScalarType.Float32));
            }
        }

        gradient.mul_(scale);
        return (losses.MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope());
    }
}
