// Student or teacher written out plainly, with autograd's graph.
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests.Distillation;

internal static class Plain
{
    /// <summary>Logits [N, V] and outputs of all blocks [N, H] at the scored positions.</summary>
    public static (Tensor Logits, Tensor[] States) Run(LlamaModel model, TrainingBatch batch, Tensor scored, LlamaGates? gates = null)
    {
        TokenBatch tokens = batch.Tokens;
        var options = new ForwardOptions
        {
            AttentionMask = tokens.AttentionMask.IsEmpty ? null : tokens.AttentionMask.ToArray(),
            Positions = batch.IsPacked ? batch.Positions.ToArray() : null,
            Packed = batch.IsPacked,
            Gates = gates,
        };
        LlamaPass pass = LlamaPass.Begin(model.Config, tokens.BatchSize, tokens.SequenceLength, options, model.Dtype, model.Device);
        Tensor x = model.Embed(TinyLlama.Ids(tokens), pass);
        var states = new List<Tensor>();
        foreach (LlamaBlock block in model.layers)
        {
            x = block.forward(x, pass);
            states.Add(x.reshape(-1, x.shape[2]).index_select(0, scored));
        }

        return (model.Logits(model.FinalNorm(states[^1], pass)), [.. states]);
    }
}
