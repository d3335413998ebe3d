// Final norm, output projection and loss of one micro-batch, forward and backward, by slices of tokens. Per slice three products with
// the head: logits, gradient of the states, gradient of the head; the latter is added to the head's gradient without a temporary.
using LlmShearing.Devices;
using LlmShearing.Kernels;
using LlmShearing.Model;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Steps;

/// <summary>The end of a model under a loss.</summary>
internal sealed class HeadPass(LlamaModel model, LlamaPass pass, long logitBytes, CancellationToken cancellationToken)
{
    private readonly Parameter _head = model.HeadWeight;   // [V, H]

    /// <summary>Adds the gradients of final norm and head; returns that of the states.</summary>
    /// <param name="last">Output of the last block [B, T, H]; without a graph.</param>
    /// <param name="scored">Flat indices of scored positions [N], int64.</param>
    /// <param name="targets">Ids to predict [N], int64.</param>
    /// <param name="objective">The loss.</param>
    /// <param name="scale">Weight of one token.</param>
    /// <param name="losses">Receives the sums of losses.</param>
    /// <param name="wantStates">Whether anything before the final norm needs a gradient.</param>
    /// <returns>[B, T, H] in the caller's dispose scope, or null when not wanted.</returns>
    public Tensor? Run(Tensor last, Tensor scored, Tensor targets, IMicroBatchObjective objective, double scale, LossSums losses, bool wantStates)
    {
        using var scope = NewDisposeScope();
        long[] shape = last.shape;
        Tensor states = last.reshape(-1, shape[2]).index_select(0, scored).requires_grad_(wantStates);   // [N, H]
        using var grad = enable_grad();
        Tensor normed = model.FinalNorm(states, pass);                                                   // [N, H]
        if (Project(normed.detach(), targets, objective, scale, losses, normed.requires_grad) is { } gradient)
            normed.backward([gradient]);
        if (!wantStates)
            return null;
        using var noGrad = no_grad();
        Tensor before = zeros([shape[0] * shape[1], shape[2]], dtype: last.dtype, device: last.device);
        before.index_copy_(0, scored, states.grad!);
        return before.view(shape).MoveToOuterDisposeScope();
    }

    // Gradient of the normed states [N, H], or null when not wanted.
    private Tensor? Project(Tensor normed, Tensor targets, IMicroBatchObjective objective, double scale, LossSums losses, bool wanted)
    {
        using var noGrad = no_grad();
        long n = normed.shape[0], vocabulary = _head.shape[0];
        bool own = _head.dtype == ScalarType.BFloat16 && HostMemory.Serves(_head) && objective.TakesOwnType;
        long most = Math.Clamp(logitBytes / (own ? sizeof(short) : sizeof(float)) / vocabulary, 1, n), slices = (n + most - 1) / most;
        long atOnce = (n + slices - 1) / slices;                                                         // even slices: no small rest, and less memory
        Tensor? result = wanted ? empty_like(normed) : null;                                             // [N, H]
        for (long first = 0; first < n; first += atOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            long count = Math.Min(atOnce, n - first);
            Tensor x = normed.narrow(0, first, count);                                                   // [c, H]
            Tensor logits = LinearProduct.Forward(x, _head, null);                                       // [c, V]
            if (!own)
                logits = logits.to(ScalarType.Float32);
            Tensor gradient = objective.AtLogits(logits, targets.narrow(0, first, count), first, scale, losses);
            if (gradient.dim() != 2 || gradient.shape[0] != count || gradient.shape[1] != vocabulary)
                throw new TrainingException($"The objective returned a gradient of shape [{string.Join(", ", gradient.shape)}] for logits of shape [{count}, {vocabulary}]. Both must be equal.");
            gradient = gradient.to(_head.dtype);
            result?.narrow(0, first, count).copy_(LinearProduct.InputGradient(gradient, _head));
            if (_head.requires_grad)
                Gradients.AddProduct(_head, gradient, x);
        }

        return result;
    }
}
