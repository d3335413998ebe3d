using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Bench;

/// <summary>The matrix products of a training step and nothing else: of every linear layer the output, the gradient of the input and that of the weight; of attention two products forward and four backward, without the causal half left out.</summary>
internal sealed class StepProducts(LlamaModel model, int batch, int length)
{
    public void Run()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        int n = batch * length, h = model.Config.Shape.HiddenSize;
        Tensor x = ones(n, h, dtype: model.Dtype);
        foreach (LlamaBlock block in model.layers)
        {
            if (block.self_attn is { } a)
            {
                Linear(x, a.q_proj.weight);
                Linear(x, a.k_proj.weight);
                Linear(x, a.v_proj.weight);
                Attention(model.Config.Shape.Layers[block.Layer].QueryHeads, model.Config.Shape.HeadDim);
                Linear(ones(n, a.o_proj.InFeatures, dtype: model.Dtype), a.o_proj.weight);
            }

            if (block.mlp is { } m)
            {
                Linear(x, m.gate_proj.weight);
                Linear(x, m.up_proj.weight);
                Linear(ones(n, m.down_proj.InFeatures, dtype: model.Dtype), m.down_proj.weight);
            }
        }

        Linear(x, model.lm_head is null ? model.embed_tokens.weight : model.lm_head.weight);
    }

    private static void Linear(Tensor x, Tensor weight)
    {
        using var scope = NewDisposeScope();
        Tensor y = nn.functional.linear(x, weight);   // [n, out]
        _ = y.matmul(weight);                         // [n, in]
        _ = y.t().matmul(x);                          // [out, in]
    }

    private void Attention(int heads, int size)
    {
        using var scope = NewDisposeScope();
        Tensor q = ones(batch * heads, length, size, dtype: model.Dtype), k = ones(batch * heads, size, length, dtype: model.Dtype);
        Tensor scores = q.bmm(k);                     // [B * N, T, T]
        Tensor context = scores.bmm(q);               // [B * N, T, hd]
        _ = context.bmm(k);                           // gradient of the weights
        _ = scores.bmm(q);                            // of values, queries and keys
        _ = scores.bmm(q);
        _ = scores.bmm(q);
    }
}
