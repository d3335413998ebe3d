// The weights of a block that count for its score: projections and norms, no biases (shortened-llm, names with "weight").
using LlmShearing.Model;
using TorchSharp.Modules;

namespace LlmShearing.Scoring;

internal static class BlockWeights
{
    /// <summary>The weights of a block under their Hugging Face names; nine for a whole block.</summary>
    public static IReadOnlyList<(string Name, Parameter Weight)> Of(LlamaBlock block)
    {
        string prefix = $"model.layers.{block.Layer}.";
        var weights = new List<(string, Parameter)>(9);
        if (block.self_attn is { } attention)
        {
            weights.Add((prefix + "self_attn.q_proj.weight", attention.q_proj.weight));
            weights.Add((prefix + "self_attn.k_proj.weight", attention.k_proj.weight));
            weights.Add((prefix + "self_attn.v_proj.weight", attention.v_proj.weight));
            weights.Add((prefix + "self_attn.o_proj.weight", attention.o_proj.weight));
            weights.Add((prefix + "input_layernorm.weight", block.input_layernorm!.weight));
        }

        if (block.mlp is { } mlp)
        {
            weights.Add((prefix + "mlp.gate_proj.weight", mlp.gate_proj.weight));
            weights.Add((prefix + "mlp.up_proj.weight", mlp.up_proj.weight));
            weights.Add((prefix + "mlp.down_proj.weight", mlp.down_proj.weight));
            weights.Add((prefix + "post_attention_layernorm.weight", block.post_attention_layernorm!.weight));
        }

        return weights;
    }
}
