// The loss of held-out data during training.
using LlmShearing.Devices;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Runs;

internal static class TrainingEvaluator
{
    /// <summary>Mean negative log-likelihood of every set and of all of them together, without gradients, in double precision.</summary>
    /// <exception cref="TrainingException">A set has nothing to score, or a loss is not finite.</exception>
    /// <exception cref="OperationCanceledException">Between two batches.</exception>
    public static EvaluationLosses Run(ITrainable trainable, IReadOnlyList<EvaluationSet> sets, long step, int seed, Action<string, long> progress, CancellationToken cancellationToken)
    {
        using IDisposable mode = trainable.BeginEvaluation();
        using IDisposable frozen = no_grad();
        var means = new Dictionary<string, double>(StringComparer.Ordinal);
        double total = 0;
        long tokens = 0, batches = 0;
        foreach (EvaluationSet set in sets)
        {
            double sum = 0;
            long count = 0;
            int index = 0;
            foreach (TrainingBatch batch in set.Batches)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (double loss, long scored) = Losses(trainable, batch, new MicroBatchKey(step, index++, seed));
                if (!double.IsFinite(loss))
                    throw new TrainingException($"After step {step} the loss of evaluation set '{set.Name}' is {loss} ({batch.Source}). The weights have diverged or overflow: go on from an earlier checkpoint with a lower learning rate, or use float32.");
                (sum, count) = (sum + loss, count + scored);
                progress(set.Name, ++batches);
            }

            if (count == 0)
                throw new TrainingException($"Evaluation set '{set.Name}' has no token to score. Give it at least one row of two tokens, or leave it out.");
            means[set.Name] = sum / count;
            (total, tokens) = (total + sum, tokens + count);
        }

        return new EvaluationLosses(step, total / tokens, means, tokens);
    }

    private static (double Sum, long Count) Losses(ITrainable trainable, TrainingBatch batch, MicroBatchKey key)
    {
        using var scope = NewDisposeScope();
        try
        {
            return Losses(trainable.Model, batch, trainable.BeginMicroBatch(key));
        }
        finally
        {
            trainable.AbandonMicroBatch();
        }
    }

    private static (double Sum, long Count) Losses(LlamaModel model, TrainingBatch batch, LlamaGates? gates)
    {
        using var scope = NewDisposeScope();
        (long[] positions, long[] targets) = batch.Scored();
        if (positions.Length == 0)
            return (0, 0);
        Tensor ids = TokenIds.ToTensor(batch.Tokens, model);                                             // [B, T]
        ForwardOptions options = MicroBatchPass.ForwardOptionsOf(batch, gates);
        LlamaPass pass = LlamaPass.Begin(model.Config, batch.Tokens.BatchSize, batch.Tokens.SequenceLength, options, model.Dtype, model.Device);
        Tensor x = model.Embed(ids, pass);                                                               // [B, T, H]
        for (int layer = 0; layer < model.Config.Shape.Layers.Length; layer++)
        {
            using BlockLease lease = model.AcquireBlock(layer);
            Tensor next = lease.Block.forward(x, pass);
            x.Dispose();
            x = next;
        }

        Tensor chosen = x.view(-1, model.Config.Shape.HiddenSize).index_select(0, tensor(positions, device: model.Device));   // [N, H]
        Tensor losses = TokenLosses.Compute(model, model.FinalNorm(chosen, pass), tensor(targets, device: model.Device));
        return (HostValues.Sum(losses), positions.Length);
    }
}
