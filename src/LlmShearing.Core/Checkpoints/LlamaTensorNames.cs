// The one place that knows the Hugging Face names and shapes of a LLaMA's tensors.
using System.Collections.Immutable;

namespace LlmShearing.Checkpoints;

/// <summary>What a tensor of a LLaMA is for.</summary>
public enum LlamaPart
{
    /// <summary>Token embedding [V, H].</summary>
    Embedding,

    /// <summary>Query projection [Nq * D, H]; bias [Nq * D].</summary>
    Query,

    /// <summary>Key projection [Nkv * D, H]; bias [Nkv * D].</summary>
    Key,

    /// <summary>Value projection [Nkv * D, H]; bias [Nkv * D].</summary>
    Value,

    /// <summary>Attention output projection [H, Nq * D]; bias [H].</summary>
    Output,

    /// <summary>Gate projection [I, H]; bias [I].</summary>
    Gate,

    /// <summary>Up projection [I, H]; bias [I].</summary>
    Up,

    /// <summary>Down projection [H, I]; bias [H].</summary>
    Down,

    /// <summary>Norm before attention [H].</summary>
    InputNorm,

    /// <summary>Norm before the feed-forward sub-block [H].</summary>
    PostAttentionNorm,

    /// <summary>Norm after the last block [H].</summary>
    FinalNorm,

    /// <summary>Output projection [V, H]; absent when tied to the embedding.</summary>
    Head,
}

/// <summary>One tensor that a shape asks for.</summary>
/// <param name="Name">Hugging Face name.</param>
/// <param name="Part">What it is for.</param>
/// <param name="Layer">0-based block, or -1 outside the blocks.</param>
/// <param name="IsBias">Whether it is a bias.</param>
/// <param name="Shape">Sizes, outermost first; Linear weights are [out, in].</param>
public sealed record LlamaTensor(string Name, LlamaPart Part, int Layer, bool IsBias, ImmutableArray<long> Shape)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, (a, b) => checked(a * b));
}

/// <summary>Hugging Face tensor names of the LLaMA family, and the tensors that a shape asks for.</summary>
public static class LlamaTensorNames
{
    /// <summary>Name of the embedding matrix.</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>Name of the last norm.</summary>
    public const string FinalNorm = "model.norm.weight";

    /// <summary>Name of the output projection.</summary>
    public const string Head = "lm_head.weight";

    /// <summary>The name of one tensor.</summary>
    /// <param name="part">What it is for.</param>
    /// <param name="layer">0-based block; ignored for parts outside the blocks.</param>
    /// <param name="bias">True for the bias of a projection.</param>
    /// <returns>For example <c>model.layers.3.mlp.up_proj.weight</c>.</returns>
    public static string Of(LlamaPart part, int layer = -1, bool bias = false) => part switch
    {
        LlamaPart.Embedding => Embedding,
        LlamaPart.FinalNorm => FinalNorm,
        LlamaPart.Head => Head,
        _ => $"model.layers.{layer}.{Module(part)}.{(bias ? "bias" : "weight")}",
    };

    /// <summary>All tensors of a shape, in the order of a Hugging Face state dict. Absent sub-blocks have none, not even their norm; a tied head has none.</summary>
    /// <param name="shape">Any valid shape.</param>
    /// <returns>Tensors with name and shape, made lazily.</returns>
    public static IEnumerable<LlamaTensor> Enumerate(LlamaShape shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        long h = shape.HiddenSize;
        yield return new LlamaTensor(Embedding, LlamaPart.Embedding, -1, false, [shape.VocabSize, h]);
        for (int i = 0; i < shape.Layers.Length; i++)
            foreach (LlamaTensor tensor in EnumerateBlock(shape, i))
                yield return tensor;
        yield return new LlamaTensor(FinalNorm, LlamaPart.FinalNorm, -1, false, [h]);
        if (!shape.TiedEmbeddings)
            yield return new LlamaTensor(Head, LlamaPart.Head, -1, false, [shape.VocabSize, h]);
    }

    /// <summary>The tensors of one block, in the order of a Hugging Face state dict.</summary>
    /// <param name="shape">Any valid shape.</param>
    /// <param name="layer">0-based block.</param>
    /// <returns>Tensors with name and shape, made lazily.</returns>
    public static IEnumerable<LlamaTensor> EnumerateBlock(LlamaShape shape, int layer)
    {
        ArgumentNullException.ThrowIfNull(shape);
        LayerShape l = shape.Layers[layer];
        long h = shape.HiddenSize, q = (long)l.QueryHeads * shape.HeadDim, kv = (long)l.KeyValueHeads * shape.HeadDim, n = l.IntermediateSize;
        IEnumerable<LlamaTensor> tensors = [];
        if (l.HasAttention)
            tensors = tensors
                .Concat(Projection(LlamaPart.Query, layer, q, h, shape.QueryKeyValueBias))
                .Concat(Projection(LlamaPart.Key, layer, kv, h, shape.QueryKeyValueBias))
                .Concat(Projection(LlamaPart.Value, layer, kv, h, shape.QueryKeyValueBias))
                .Concat(Projection(LlamaPart.Output, layer, h, q, shape.OutputBias));
        if (l.HasMlp)
            tensors = tensors
                .Concat(Projection(LlamaPart.Gate, layer, n, h, shape.MlpBias))
                .Concat(Projection(LlamaPart.Up, layer, n, h, shape.MlpBias))
                .Concat(Projection(LlamaPart.Down, layer, h, n, shape.MlpBias));
        if (l.HasAttention)
            tensors = tensors.Append(Norm(LlamaPart.InputNorm, layer, h));
        if (l.HasMlp)
            tensors = tensors.Append(Norm(LlamaPart.PostAttentionNorm, layer, h));
        return tensors;
    }

    /// <summary>Whether a checkpoint may carry the tensor although no model uses it: rotary frequencies and masks that old exports stored.</summary>
    /// <param name="name">Tensor name.</param>
    /// <returns>True when it is to be ignored.</returns>
    public static bool IsIgnorable(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || name.EndsWith(".masked_bias", StringComparison.Ordinal);
    }

    private static IEnumerable<LlamaTensor> Projection(LlamaPart part, int layer, long rows, long columns, bool bias)
    {
        yield return new LlamaTensor(Of(part, layer), part, layer, false, [rows, columns]);
        if (bias)
            yield return new LlamaTensor(Of(part, layer, bias: true), part, layer, true, [rows]);
    }

    private static LlamaTensor Norm(LlamaPart part, int layer, long size) => new(Of(part, layer), part, layer, false, [size]);

    private static string Module(LlamaPart part) => part switch
    {
        LlamaPart.Query => "self_attn.q_proj",
        LlamaPart.Key => "self_attn.k_proj",
        LlamaPart.Value => "self_attn.v_proj",
        LlamaPart.Output => "self_attn.o_proj",
        LlamaPart.Gate => "mlp.gate_proj",
        LlamaPart.Up => "mlp.up_proj",
        LlamaPart.Down => "mlp.down_proj",
        LlamaPart.InputNorm => "input_layernorm",
        LlamaPart.PostAttentionNorm => "post_attention_layernorm",
        _ => throw new ArgumentOutOfRangeException(nameof(part)),
    };
}
