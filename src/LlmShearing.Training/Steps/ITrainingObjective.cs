using System.Text.Json.Nodes;
using LlmShearing.Training.Optimization;
using static TorchSharp.torch;

namespace LlmShearing.Training.Steps;

/// <summary>What is minimised, besides the loss that a trainable adds itself. Plain cross entropy unless one is given; distillation is another.</summary>
public interface ITrainingObjective
{
    /// <summary>Parameters of the objective's own, trained and kept in checkpoints with the weights and under the settings of the run; none by default. Their names begin with "objective.".</summary>
    IReadOnlyList<TrainableParameter> Parameters => [];

    /// <summary>Prepares one micro-batch, for example by running a teacher over it.</summary>
    /// <param name="batch">The micro-batch.</param>
    /// <param name="ids">Its ids [B, T], int64; valid until the result is disposed.</param>
    /// <param name="scored">Flat indices of the scored positions [N], int64; valid until the result is disposed.</param>
    /// <returns>The objective of this micro-batch; its tensors are its own.</returns>
    IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored);

    /// <summary>What identifies the objective: kind, weights, teacher. A run resumes only with equal descriptions.</summary>
    /// <returns>A small JSON object; by default the name of the type.</returns>
    JsonObject Describe() => new() { ["kind"] = GetType().Name };
}

/// <summary>The objective of one micro-batch.</summary>
public interface IMicroBatchObjective : IDisposable
{
    /// <summary>Whether <see cref="Observe"/> is to be called.</summary>
    bool Observes => false;

    /// <summary>Shows the output of every block once, from the first to the last, before <see cref="AtLogits"/>.</summary>
    /// <param name="layer">0-based block.</param>
    /// <param name="hidden">Its output [B, T, H]; no graph, not to be changed or kept.</param>
    /// <param name="hasAttention">Whether the block has attention that no gate removes.</param>
    void Observe(int layer, Tensor hidden, bool hasAttention)
    {
    }

    /// <summary>Whether <see cref="AtBlock"/> wants the output of a block. May depend on what was observed: with a loss of an untrained block it is asked right after the block, else after the logits.</summary>
    /// <param name="layer">0-based block.</param>
    /// <returns>False when the block's output has no loss of its own.</returns>
    bool Wants(int layer) => false;

    /// <summary>
    /// Whether <see cref="AtLogits"/> takes logits on the CPU in the type of the model, bfloat16 too, and may return the gradient in it: a third of the memory, and no conversions. It
    /// must compute in float32 all the same.
    /// </summary>
    bool TakesOwnType => false;

    /// <summary>Loss at the logits of some scored positions.</summary>
    /// <param name="logits">[n, V], contiguous, float32 unless <see cref="TakesOwnType"/>; may be overwritten.</param>
    /// <param name="targets">Ids to predict [n], int64.</param>
    /// <param name="first">Index of the first of these n positions among the scored positions of the micro-batch.</param>
    /// <param name="scale">Weight of one token in the step.</param>
    /// <param name="losses">Receives sums over tokens, not scaled, by name; the name "lm" is the cross entropy, "loss" the whole.</param>
    /// <returns>Gradient of scale * sum of losses with respect to the logits [n, V], of their type, in the caller's dispose scope; may be <paramref name="logits"/> itself.</returns>
    Tensor AtLogits(Tensor logits, Tensor targets, long first, double scale, LossSums losses);

    /// <summary>Loss at the output of a block.</summary>
    /// <param name="layer">0-based block.</param>
    /// <param name="hidden">Its output [B, T, H]; no graph, not to be changed.</param>
    /// <param name="scale">Weight of one token in the step.</param>
    /// <param name="losses">Receives sums over tokens, not scaled, by name.</param>
    /// <returns>Gradient of scale * sum of losses with respect to the output [B, T, H], in the caller's dispose scope; null when there is none.</returns>
    Tensor? AtBlock(int layer, Tensor hidden, double scale, LossSums losses) => null;
}

/// <summary>Sums of losses over tokens, by name.</summary>
public sealed class LossSums
{
    private readonly SortedDictionary<string, double> _sums = new(StringComparer.Ordinal);

    /// <summary>The sums, ordered by name.</summary>
    public IReadOnlyDictionary<string, double> Values => _sums;

    /// <summary>Adds to a sum.</summary>
    /// <param name="name">Name of the loss.</param>
    /// <param name="sum">Sum over tokens, in nats where that makes sense.</param>
    public void Add(string name, double sum) => _sums[name] = _sums.GetValueOrDefault(name) + sum;
}
