// Scaled dot product attention: the bridge's fused operator where it applies, otherwise composed of matmul and softmax.
namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            /// <summary>
            /// Attention over [..., T, D]. A causal mask is aligned top left: query i sees keys 0 to i. A boolean mask is true where a key
            /// may be seen, any other is added to the scores. A query that sees no key gives zeros.
            /// </summary>
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0, bool is_casual = false)
            {
                if (is_casual && attn_mask is not null)
                    throw new ArgumentException("is_casual and attn_mask exclude each other.", nameof(attn_mask));
                bool fused = p == 0 && query.ndim == 4 && key.ndim == 4 && value.ndim == 4 && query.is_cpu()
                    && query.dtype is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16
                    && attn_mask is not { requires_grad: true };
                double scale = 1 / Math.Sqrt(query.size(-1));
                return fused ? Operators.Run("llmshearing::attention", query, key, value, attn_mask, is_casual, scale)
                    : Composed(query, key, value, attn_mask, p, is_casual, scale);
            }

            internal static Tensor Composed(Tensor query, Tensor key, Tensor value, Tensor? mask, double p, bool causal, double scale)
            {
                using DisposeScope scope = NewDisposeScope();
                Tensor scores = query.matmul(key.transpose(-2, -1)) * scale;
                if (causal) mask = torch.ones([query.size(-2), key.size(-2)], ScalarType.Bool).tril();
                if (mask is not null)
                    scores = mask.dtype == ScalarType.Bool ? scores.masked_fill(mask.logical_not(), double.NegativeInfinity) : scores + mask;
                // A row without any key is 0/0 in the softmax.
                Tensor weights = mask is null ? scores.softmax(-1)
                    : scores.softmax(-1).masked_fill(scores.isneginf().all(-1, keepdim: true), 0);
                if (p > 0) weights = dropout(weights, p);
                return weights.matmul(value).MoveToOuterDisposeScope();
            }
        }
    }
}
