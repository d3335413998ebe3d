// One transformer block, top-down: block, attention, feed-forward. Notation: B batch, T new tokens, S all tokens with the cache,
// H hidden size, Nq query heads, Nkv key/value heads, hd head size, I intermediate size.
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>A block: x + attention(norm(x)), then x + mlp(norm(x)). Either sub-block may be absent.</summary>
public sealed class LlamaBlock : nn.Module
{
    /// <summary>Norm before attention; null when attention is absent.</summary>
    public readonly RmsNorm? input_layernorm;

    /// <summary>Attention, or null.</summary>
    public readonly LlamaAttention? self_attn;

    /// <summary>Norm before the feed-forward sub-block; null when that is absent.</summary>
    public readonly RmsNorm? post_attention_layernorm;

    /// <summary>Feed-forward sub-block, or null.</summary>
    public readonly LlamaMlp? mlp;

    private int _layer;

    internal LlamaBlock(LlamaConfig config, int layer, ScalarType dtype, Device device)
        : base(nameof(LlamaBlock))
    {
        LlamaShape shape = config.Shape;
        LayerShape sizes = shape.Layers[layer];
        _layer = layer;
        if (sizes.HasAttention)
        {
            input_layernorm = new RmsNorm(shape.HiddenSize, config.RmsNormEps, dtype, device);
            self_attn = new LlamaAttention(config, layer, dtype, device);
        }

        if (sizes.HasMlp)
        {
            post_attention_layernorm = new RmsNorm(shape.HiddenSize, config.RmsNormEps, dtype, device);
            mlp = new LlamaMlp(shape, sizes.IntermediateSize, dtype, device);
        }

        RegisterComponents();
    }

    /// <summary>A block with the weights of another, as block <paramref name="layer"/> of a model in which a sub-block may be absent.</summary>
    internal LlamaBlock(LlamaConfig config, int layer, LlamaBlock shared)
        : base(nameof(LlamaBlock))
    {
        LayerShape sizes = config.Shape.Layers[layer];
        _layer = layer;
        if (sizes.HasAttention)
        {
            input_layernorm = new RmsNorm(shared.input_layernorm!);
            self_attn = new LlamaAttention(config, layer, shared.self_attn!);
        }

        if (sizes.HasMlp)
        {
            post_attention_layernorm = new RmsNorm(shared.post_attention_layernorm!);
            mlp = new LlamaMlp(shared.mlp!);
        }

        RegisterComponents();
    }

    /// <summary>Index of the block in its model.</summary>
    public int Layer => _layer;

    /// <summary>Lets the block stand for another layer of the same shape, whose weights are about to be read into it.</summary>
    internal void MoveTo(LlamaConfig config, int layer)
    {
        _layer = layer;
        self_attn?.MoveTo(config, layer);
    }

    /// <summary>Runs the block.</summary>
    /// <param name="hidden">Residual stream [B, T, H]; not changed.</param>
    /// <param name="pass">The pass.</param>
    /// <returns>A new tensor [B, T, H] in the caller's dispose scope.</returns>
    public Tensor forward(Tensor hidden, LlamaPass pass)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(pass);
        using var scope = NewDisposeScope();
        Tensor? x = null;                                                                            // [B, T, H], ours once set
        if (self_attn is not null)
        {
            Tensor a = input_layernorm!.Gated(hidden, pass.Hidden);
            x = hidden + self_attn.forward(a, pass);
        }

        if (mlp is not null)
        {
            Tensor m = post_attention_layernorm!.Gated(x ?? hidden, pass.Hidden);
            Tensor y = mlp.forward(m, pass, _layer);
            if (x is null || is_grad_enabled())
                x = (x ?? hidden) + y;
            else
                x.add_(y);
        }

        return (x ?? hidden.alias()).MoveToOuterDisposeScope();
    }
}

/// <summary>Grouped-query self-attention with rotary positions.</summary>
public sealed class LlamaAttention : nn.Module
{
    /// <summary>Queries [Nq * hd, H].</summary>
    public readonly Projection q_proj;

    /// <summary>Keys [Nkv * hd, H].</summary>
    public readonly Projection k_proj;

    /// <summary>Values [Nkv * hd, H].</summary>
    public readonly Projection v_proj;

    /// <summary>Output [H, Nq * hd].</summary>
    public readonly Projection o_proj;

    private readonly int _headDim;
    private readonly LayerShape _sizes;
    private int _layer;
    private int? _window;

    internal LlamaAttention(LlamaConfig config, int layer, ScalarType dtype, Device device)
        : base(nameof(LlamaAttention))
    {
        LlamaShape shape = config.Shape;
        (_layer, _headDim, _sizes, _window) = (layer, shape.HeadDim, shape.Layers[layer], config.SlidingWindow(layer));
        long q = (long)_sizes.QueryHeads * _headDim, kv = (long)_sizes.KeyValueHeads * _headDim, h = shape.HiddenSize;
        q_proj = new Projection(q, h, shape.QueryKeyValueBias, dtype, device);
        k_proj = new Projection(kv, h, shape.QueryKeyValueBias, dtype, device);
        v_proj = new Projection(kv, h, shape.QueryKeyValueBias, dtype, device);
        o_proj = new Projection(h, q, shape.OutputBias, dtype, device);
        RegisterComponents();
    }

    /// <summary>Attention with the weights of another, as that of block <paramref name="layer"/>.</summary>
    internal LlamaAttention(LlamaConfig config, int layer, LlamaAttention shared)
        : base(nameof(LlamaAttention))
    {
        (_layer, _headDim, _sizes, _window) = (layer, shared._headDim, shared._sizes, config.SlidingWindow(layer));
        q_proj = new Projection(shared.q_proj);
        k_proj = new Projection(shared.k_proj);
        v_proj = new Projection(shared.v_proj);
        o_proj = new Projection(shared.o_proj);
        RegisterComponents();
    }

    internal void MoveTo(LlamaConfig config, int layer) => (_layer, _window) = (layer, config.SlidingWindow(layer));

    internal Tensor forward(Tensor x, LlamaPass pass)
    {
        using var scope = NewDisposeScope();
        long b = x.shape[0], t = x.shape[1];
        Tensor q = Heads(q_proj.forward(x), b, t, _sizes.QueryHeads);                                // [B, Nq, T, hd]
        Tensor k = Heads(k_proj.forward(x), b, t, _sizes.KeyValueHeads);                             // [B, Nkv, T, hd]
        Tensor v = Heads(v_proj.forward(x), b, t, _sizes.KeyValueHeads);                             // [B, Nkv, T, hd]
        q = RotaryEmbedding.Rotate(q, pass.Cos, pass.Sin);
        k = RotaryEmbedding.Rotate(k, pass.Cos, pass.Sin);
        if (pass.Cache is not null)
            (k, v) = pass.Cache.Append(_layer, k, v);                                                // [B, Nkv, S, hd]
        Tensor? mask = pass.Mask(_window, out bool causal);
        Tensor context = nn.functional.scaled_dot_product_attention(q, Expand(k), Expand(v), mask, 0, causal);   // [B, Nq, T, hd]
        Tensor joined = context.transpose(1, 2).reshape(b, t, -1);                                   // [B, T, Nq * hd]
        Tensor? heads = pass.Gates?.HeadGate(_layer, pass.GateDtype)?.repeat_interleave(_headDim);                   // [Nq * hd]
        return o_proj.Gated(joined, heads, OutputGate(pass.Gates?.AttentionGate(_layer, pass.GateDtype), pass.Hidden)).MoveToOuterDisposeScope();
    }

    /// <summary>Sub-block gate [1] times hidden gate [H], or null.</summary>
    internal static Tensor? OutputGate(Tensor? subBlock, HiddenGate? hidden) =>
        subBlock is null ? hidden?.Value : hidden is null ? subBlock : subBlock * hidden.Value;

    private Tensor Heads(Tensor x, long b, long t, int heads) => x.view(b, t, heads, _headDim).transpose(1, 2);

    // [B, Nkv, S, hd] -> [B, Nq, S, hd]: neighbouring query heads share a key/value head.
    private Tensor Expand(Tensor kv)
    {
        if (_sizes.QueryHeads == _sizes.KeyValueHeads && _sizes.HasEqualGroups)
            return kv;
        if (!_sizes.HasEqualGroups)
            return kv.index_select(1, tensor(_sizes.KeyValueHeadOfQueryHead().Select(i => (long)i).ToArray(), device: kv.device));
        long[] s = kv.shape;
        int group = _sizes.GroupSize(0);
        return kv.unsqueeze(2).expand(s[0], s[1], group, s[2], s[3]).reshape(s[0], s[1] * group, s[2], s[3]);
    }
}

/// <summary>SwiGLU feed-forward: down(silu(gate(x)) * up(x)).</summary>
public sealed class LlamaMlp : nn.Module
{
    /// <summary>Gate [I, H].</summary>
    public readonly Projection gate_proj;

    /// <summary>Up [I, H].</summary>
    public readonly Projection up_proj;

    /// <summary>Down [H, I].</summary>
    public readonly Projection down_proj;

    internal LlamaMlp(LlamaShape shape, long intermediate, ScalarType dtype, Device device)
        : base(nameof(LlamaMlp))
    {
        gate_proj = new Projection(intermediate, shape.HiddenSize, shape.MlpBias, dtype, device);
        up_proj = new Projection(intermediate, shape.HiddenSize, shape.MlpBias, dtype, device);
        down_proj = new Projection(shape.HiddenSize, intermediate, shape.MlpBias, dtype, device);
        RegisterComponents();
    }

    /// <summary>A feed-forward sub-block with the weights of another.</summary>
    internal LlamaMlp(LlamaMlp shared)
        : base(nameof(LlamaMlp))
    {
        gate_proj = new Projection(shared.gate_proj);
        up_proj = new Projection(shared.up_proj);
        down_proj = new Projection(shared.down_proj);
        RegisterComponents();
    }

    internal Tensor forward(Tensor x, LlamaPass pass, int layer)
    {
        using var scope = NewDisposeScope();
        bool grad = is_grad_enabled();
        Tensor u = nn.functional.silu(gate_proj.forward(x), inplace: !grad);                         // [B, T, I]
        Tensor up = up_proj.forward(x);                                                              // [B, T, I]
        if (grad)
            u = u * up;
        else
            u.mul_(up);
        Tensor? gate = pass.Gates?.Intermediate?[layer];                                             // [I]
        return down_proj.Gated(u, gate, LlamaAttention.OutputGate(pass.Gates?.MlpGate(layer, pass.GateDtype), pass.Hidden)).MoveToOuterDisposeScope();
    }
}
