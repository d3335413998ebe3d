// Plain autograd training for comparison with the reference.
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

internal static class LoraTraining
{
    /// <summary>Mean cross entropy of the labels [B, T] (-100 = not scored), the label at t predicted from t - 1.</summary>
    public static Tensor MeanLoss(LlamaModel model, Tensor ids, long[] labels)
    {
        long rows = ids.shape[0], length = ids.shape[1];
        var positions = new List<long>();
        var targets = new List<long>();
        for (long row = 0; row < rows; row++)
        {
            for (long t = 0; t + 1 < length; t++)
            {
                if (labels[(row * length) + t + 1] < 0)
                    continue;
                positions.Add((row * length) + t);
                targets.Add(labels[(row * length) + t + 1]);
            }
        }

        Tensor logits = model.forward(ids).to(ScalarType.Float32).view(rows * length, -1).index_select(0, tensor(positions.ToArray()));   // [n, V]
        Tensor chosen = logits.gather(1, tensor(targets.ToArray()).unsqueeze(1)).squeeze(1);                                                // [n]
        return (logits.logsumexp(-1) - chosen).mean();
    }
}
