// The same model as a user of eager PyTorch writes it: tensor operators and autograd, nothing chunked, nothing computed again. What this library is compared with.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Bench;

/// <summary>A plain decoder over the weights of a model; blocks can be left out.</summary>
internal sealed class PlainLlama
{
    private readonly LlamaConfig _config;
    private readonly Dictionary<string, Parameter> _weights;
    private readonly Tensor _inverse;   // [hd/2]

    /// <param name="model">Its weights are copied.</param>
    /// <param name="train">Whether they require gradients.</param>
    public PlainLlama(LlamaModel model, bool train)
    {
        using var noGrad = no_grad();
        _config = model.Config;
        _weights = model.NamedWeights().ToDictionary(w => w.Name, w => new Parameter(w.Weight.detach().clone(), train));
        int dim = _config.Shape.HeadDim;
        _inverse = tensor(Enumerable.Range(0, dim / 2).Select(i => (float)(1 / Math.Pow(_config.RopeTheta, 2.0 * i / dim))).ToArray());
    }

    public IEnumerable<Parameter> Parameters => _weights.Values;

    /// <summary>Logits [B, T, V].</summary>
    /// <param name="ids">[B, T].</param>
    /// <param name="without">A block that is skipped, or -1.</param>
    public Tensor Forward(Tensor ids, int without = -1)
    {
        Tensor x = _weights["model.embed_tokens.weight"].index_select(0, ids.reshape(-1)).view(ids.shape[0], ids.shape[1], -1);   // [B, T, H]
        long length = ids.shape[1];
        Tensor angles = arange(length, dtype: ScalarType.Float32).unsqueeze(1) * _inverse;           // [T, hd/2]
        angles = cat([angles, angles], -1);                                                          // [T, hd]
        Tensor cos = angles.cos().to(x.dtype), sin = angles.sin().to(x.dtype);
        for (int i = 0; i < _config.Shape.Layers.Length; i++)
            if (i != without)
                x = Block(i, x, cos, sin);
        x = Norm(x, "model.norm.weight");
        return nn.functional.linear(x, _weights.TryGetValue("lm_head.weight", out Parameter? head) ? head : _weights["model.embed_tokens.weight"]);
    }

    /// <summary>Mean cross entropy of the next token.</summary>
    public Tensor Loss(Tensor ids, int without = -1)
    {
        Tensor logits = Forward(ids, without);
        long length = ids.shape[1] - 1;
        return nn.functional.cross_entropy(logits.narrow(1, 0, length).reshape(-1, logits.shape[2]).to(ScalarType.Float32), ids.narrow(1, 1, length).reshape(-1));
    }

    private Tensor Block(int layer, Tensor x, Tensor cos, Tensor sin)
    {
        string name = $"model.layers.{layer}.";
        LayerShape sizes = _config.Shape.Layers[layer];
        long b = x.shape[0], t = x.shape[1], hd = _config.Shape.HeadDim;
        Tensor h = Norm(x, name + "input_layernorm.weight");
        Tensor q = Linear(h, "q_proj", sizes.QueryHeads), k = Linear(h, "k_proj", sizes.KeyValueHeads), v = Linear(h, "v_proj", sizes.KeyValueHeads);
        q = (q * cos) + (Half(q) * sin);
        k = (k * cos) + (Half(k) * sin);
        long group = sizes.QueryHeads / sizes.KeyValueHeads;
        k = k.repeat_interleave(group, 1);
        v = v.repeat_interleave(group, 1);
        Tensor context = nn.functional.scaled_dot_product_attention(q, k, v, null!, 0, true).transpose(1, 2).reshape(b, t, -1);
        x = x + nn.functional.linear(context, _weights[name + "self_attn.o_proj.weight"]);
        h = Norm(x, name + "post_attention_layernorm.weight");
        Tensor u = nn.functional.silu(nn.functional.linear(h, _weights[name + "mlp.gate_proj.weight"])) * nn.functional.linear(h, _weights[name + "mlp.up_proj.weight"]);
        return x + nn.functional.linear(u, _weights[name + "mlp.down_proj.weight"]);

        Tensor Linear(Tensor input, string projection, long heads) =>
            nn.functional.linear(input, _weights[$"{name}self_attn.{projection}.weight"]).view(b, t, heads, hd).transpose(1, 2);
    }

    private static Tensor Half(Tensor x)
    {
        long half = x.shape[^1] / 2;
        return cat([-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1);
    }

    private Tensor Norm(Tensor x, string name)
    {
        Tensor wide = x.to(ScalarType.Float32);
        Tensor normed = wide * rsqrt(wide.pow(2).mean([-1], keepdim: true) + _config.RmsNormEps);
        return _weights[name] * normed.to(x.dtype);
    }
}
