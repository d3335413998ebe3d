// Surgery on a resident model: a new model whose weights are slices of the old one. The old model is not touched.
using LlmShearing.Model;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Surgery;

/// <summary>Applies plans to resident models.</summary>
/// <remarks>The source is only read: threads may cut one model at once, and evaluate it meanwhile.</remarks>
public static class ModelSurgery
{
    /// <summary>Cuts a model to a plan.</summary>
    /// <param name="model">The source model; unchanged.</param>
    /// <param name="plan">A plan for the model's shape.</param>
    /// <param name="progress">Receives one report per block; may be null.</param>
    /// <param name="cancellationToken">Checked before every block.</param>
    /// <returns>A new model of the plan's target shape, owned by the caller. Weights are exact copies of slices.</returns>
    /// <exception cref="PlanException">The plan is not valid or is for another model.</exception>
    public static LlamaModel Apply(LlamaModel model, PruningPlan plan, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        ArgumentNullException.ThrowIfNull(plan);
        plan.EnsureFor(model.Config.Shape);
        LlamaConfig config = model.Config.For(plan);
        var result = new LlamaModel(config, model.Dtype, model.Device) { Name = model.Name };
        try
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            Tensor? hidden = Index(plan.Hidden, model.Config.Shape.HiddenSize, model.Device);
            Copy(result.embed_tokens.weight, model.embed_tokens.weight, null, hidden);
            Copy(result.norm.weight, model.norm.weight, hidden, null);
            if (result.lm_head is not null)
                Copy(result.lm_head.weight, model.lm_head!.weight, null, hidden);
            for (int i = 0; i < plan.Layers.Length; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                CutBlock(model, plan, i, result.layers[i], hidden);
                progress?.Report(new ShearingProgress("cut", i + 1, plan.Layers.Length, "blocks"));
            }
        }
        catch
        {
            result.Dispose();
            throw;
        }

        return result;
    }

    private static void CutBlock(LlamaModel model, PruningPlan plan, int layer, LlamaBlock target, Tensor? hidden)
    {
        using var scope = NewDisposeScope();
        LayerPlan kept = plan.Layers[layer];
        LlamaBlock source = model.layers[kept.SourceIndex];
        LayerShape sizes = model.Config.Shape.Layers[kept.SourceIndex];
        int headDim = model.Config.Shape.HeadDim;
        if (target.self_attn is { } attention)
        {
            Tensor? q = Index(Channels(kept.QueryHeads, headDim), sizes.QueryHeads * headDim, model.Device);
            Tensor? kv = Index(Channels(plan.KeyValueHeads(layer), headDim), sizes.KeyValueHeads * headDim, model.Device);
            Copy(target.input_layernorm!.weight, source.input_layernorm!.weight, hidden, null);
            Cut(attention.q_proj, source.self_attn!.q_proj, q, hidden);
            Cut(attention.k_proj, source.self_attn.k_proj, kv, hidden);
            Cut(attention.v_proj, source.self_attn.v_proj, kv, hidden);
            Cut(attention.o_proj, source.self_attn.o_proj, hidden, q);
        }

        if (target.mlp is { } mlp)
        {
            Tensor? ffn = Index(kept.Intermediate, sizes.IntermediateSize, model.Device);
            Copy(target.post_attention_layernorm!.weight, source.post_attention_layernorm!.weight, hidden, null);
            Cut(mlp.gate_proj, source.mlp!.gate_proj, ffn, hidden);
            Cut(mlp.up_proj, source.mlp.up_proj, ffn, hidden);
            Cut(mlp.down_proj, source.mlp.down_proj, hidden, ffn);
        }
    }

    private static void Cut(Projection target, Projection source, Tensor? rows, Tensor? columns)
    {
        Copy(target.weight, source.weight, rows, columns);
        if (target.bias is not null)
            Copy(target.bias, source.bias!, rows, null);
    }

    // index_select gives a contiguous copy; a narrowed view would pin the whole source.
    private static void Copy(Parameter target, Tensor source, Tensor? rows, Tensor? columns)
    {
        using var scope = NewDisposeScope();
        Tensor x = rows is null ? source : source.index_select(0, rows);
        x = columns is null ? x : x.index_select(1, columns);
        target.copy_(x);
    }

    private static Tensor? Index(IndexSet kept, int size, Device device) =>
        kept.IsAll(size) ? null : tensor(kept.Indices.Select(i => (long)i).ToArray(), device: device);

    private static IndexSet Channels(IndexSet heads, int headDim) =>
        IndexSet.Of(heads.Indices.SelectMany(h => Enumerable.Range(h * headDim, headDim)));
}
