// Scaled dot product attention, composed of matmul and softmax.
namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            public static Tensor scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0, bool is_casual = false)
            {
                if (is_casual && attn_mask is not null)
                    throw new ArgumentException("is_casual and attn_mask exclude each other.", nameof(attn_mask));
                using DisposeScope scope = NewDisposeScope();
                Tensor scores = (query / Math.Sqrt(query.shape[^1])).matmul(key.transpose(-2, -1));
                if (is_casual)
                    scores = scores.masked_fill(torch.ones([query.shape[^2], key.shape[^2]], ScalarType.Bool).tril().logical_not(), double.NegativeInfinity);
                else if (attn_mask is not null)
                    scores = attn_mask.dtype == ScalarType.Bool ? scores.masked_fill(attn_mask.logical_not(), double.NegativeInfinity) : scores + attn_mask;
                Tensor weights = scores.softmax(-1);
                if (p > 0) weights = dropout(weights, p);
                return weights.matmul(value).MoveToOuterDisposeScope();
            }
        }
    }
}
