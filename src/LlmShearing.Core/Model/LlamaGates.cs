// A plan, or learned masks, seen as multipliers. The model multiplies each unit by its gate.
using LlmShearing.Devices;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>
/// Multipliers for the units of a model, all float32, each axis optional (null = all ones).
/// Zero removes a unit exactly: under a hidden gate the norms divide by the number of kept channels.
/// </summary>
/// <remarks>Many threads may read the same gates at once; changing and disposing them wants them alone.</remarks>
public sealed partial class LlamaGates : IDisposable
{
    private readonly LlamaShape _shape;

    private LlamaGates(LlamaShape shape) => _shape = shape;

    /// <summary>Residual channels [H].</summary>
    public Tensor? Hidden { get; private set; }

    /// <summary>Query heads, one tensor [Nq] per layer.</summary>
    public IReadOnlyList<Tensor>? QueryHeads { get; private set; }

    /// <summary>Key/value groups, one tensor [Nkv] per layer; each value counts for all query heads of the group.</summary>
    public IReadOnlyList<Tensor>? KeyValueGroups { get; private set; }

    /// <summary>Feed-forward channels, one tensor [I] per layer.</summary>
    public IReadOnlyList<Tensor>? Intermediate { get; private set; }

    /// <summary>Attention sub-blocks [L].</summary>
    public Tensor? Attention { get; private set; }

    /// <summary>Feed-forward sub-blocks [L].</summary>
    public Tensor? Mlp { get; private set; }

    /// <summary>Whole blocks [L]; multiplies both sub-blocks.</summary>
    public Tensor? Layers { get; private set; }

    /// <summary>
    /// Whether the embedding is multiplied by the hidden gate (default). LLM-Shearing's training path does not
    /// (models/composer_llama.py); switch it off to reproduce that.
    /// </summary>
    public bool GateEmbedding { get; init; } = true;

    /// <summary>All gates one, for the given axes.</summary>
    /// <param name="shape">Shape of the model.</param>
    /// <param name="axes">Axes to make gates for.</param>
    /// <param name="requiresGrad">Whether gradients are wanted; default false.</param>
    /// <param name="device">Device; default CPU.</param>
    /// <param name="gateEmbedding">See <see cref="GateEmbedding"/>; default true.</param>
    /// <returns>Gates owned by the caller.</returns>
    public static LlamaGates Ones(LlamaShape shape, PruningAxes axes, bool requiresGrad = false, Device? device = null, bool gateEmbedding = true)
    {
        ArgumentNullException.ThrowIfNull(shape);
        TorchRuntime.EnsureLoaded();
        Tensor One(int n) => ones(n, dtype: ScalarType.Float32, device: device ?? CPU).requires_grad_(requiresGrad).DetachFromDisposeScope();
        IReadOnlyList<Tensor> Each(Func<LayerShape, int> size) => [.. shape.Layers.Select(l => One(size(l)))];
        int layers = shape.Layers.Length;
        return new LlamaGates(shape)
        {
            GateEmbedding = gateEmbedding,
            Hidden = axes.HasFlag(PruningAxes.Hidden) ? One(shape.HiddenSize) : null,
            QueryHeads = axes.HasFlag(PruningAxes.QueryHeads) ? Each(l => l.QueryHeads) : null,
            KeyValueGroups = axes.HasFlag(PruningAxes.KeyValueGroups) ? Each(l => l.KeyValueHeads) : null,
            Intermediate = axes.HasFlag(PruningAxes.Intermediate) ? Each(l => l.IntermediateSize) : null,
            Attention = axes.HasFlag(PruningAxes.Attention) ? One(layers) : null,
            Mlp = axes.HasFlag(PruningAxes.Mlp) ? One(layers) : null,
            Layers = axes.HasFlag(PruningAxes.Layers) ? One(layers) : null,
        };
    }

    /// <summary>The gates of a plan: one for what stays, zero for what goes.</summary>
    /// <param name="plan">A plan for the model that the gates will be used with.</param>
    /// <param name="device">Device; default CPU.</param>
    /// <returns>Gates owned by the caller.</returns>
    public static LlamaGates FromPlan(PruningPlan plan, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        TorchRuntime.EnsureLoaded();
        LlamaShape shape = plan.Source;
        Tensor Mask(int size, IEnumerable<int> kept)
        {
            float[] values = new float[size];
            foreach (int i in kept)
                values[i] = 1;
            return tensor(values, device: device ?? CPU).DetachFromDisposeScope();
        }

        var layers = plan.Layers.ToDictionary(l => l.SourceIndex);
        bool heads = plan.Layers.Any(l => l.QueryHeads.Count > 0 && !l.QueryHeads.IsAll(shape.Layers[l.SourceIndex].QueryHeads));
        bool ffn = plan.Layers.Any(l => l.Intermediate.Count > 0 && !l.Intermediate.IsAll(shape.Layers[l.SourceIndex].IntermediateSize));
        IReadOnlyList<Tensor> Each(Func<LayerShape, int> size, Func<LayerPlan, IndexSet> kept) =>
        [
            .. shape.Layers.Select((l, i) => layers.TryGetValue(i, out LayerPlan? p) && kept(p).Count > 0
                ? Mask(size(l), kept(p).Indices)
                : Mask(size(l), Enumerable.Range(0, size(l)))),
        ];
        return new LlamaGates(shape)
        {
            Hidden = plan.Hidden.IsAll(shape.HiddenSize) ? null : Mask(shape.HiddenSize, plan.Hidden.Indices),
            QueryHeads = heads ? Each(l => l.QueryHeads, p => p.QueryHeads) : null,
            Intermediate = ffn ? Each(l => l.IntermediateSize, p => p.Intermediate) : null,
            Attention = Mask(shape.Layers.Length, plan.Layers.Where(l => l.QueryHeads.Count > 0).Select(l => l.SourceIndex)),
            Mlp = Mask(shape.Layers.Length, plan.Layers.Where(l => l.Intermediate.Count > 0).Select(l => l.SourceIndex)),
        };
    }

    /// <summary>All gate tensors, for gradients or an optimiser.</summary>
    /// <returns>The tensors of every axis that is present.</returns>
    public IEnumerable<Tensor> Tensors() =>
        new[] { Hidden, Attention, Mlp, Layers }.OfType<Tensor>()
            .Concat(QueryHeads ?? []).Concat(KeyValueGroups ?? []).Concat(Intermediate ?? []);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor t in Tensors())
            t.Dispose();
    }

    /// <summary>Refuses gates that were made for another shape.</summary>
    internal void EnsureFor(LlamaShape shape)
    {
        if (!_shape.Equals(shape))
            throw new ArgumentException($"The gates were made for a model of {_shape.Layers.Length} layers and hidden size {_shape.HiddenSize}; this one has {shape.Layers.Length} layers and hidden size {shape.HiddenSize}, or differs inside its layers.");
    }

    /// <summary>The hidden gate prepared for the norms, or null; made inside the caller's dispose scope.</summary>
    internal HiddenGate? HiddenGate(ScalarType dtype) => Hidden is null ? null : new HiddenGate(Hidden.to(dtype), GateEmbedding);

    /// <summary>Head gate of a layer [Nq], groups expanded to their query heads; null = all ones.</summary>
    internal Tensor? HeadGate(int layer, ScalarType dtype)
    {
        Tensor? gate = QueryHeads?[layer].to(dtype);
        if (KeyValueGroups is null)
            return gate;
        long[] map = [.. _shape.Layers[layer].KeyValueHeadOfQueryHead().Select(i => (long)i)];
        Tensor groups = KeyValueGroups[layer].to(dtype).index_select(0, tensor(map, device: KeyValueGroups[layer].device));
        return gate is null ? groups : gate * groups;
    }

    /// <summary>Gate of the attention sub-block of a layer.</summary>
    /// <param name="layer">0-based block.</param>
    /// <param name="dtype">Type of the result.</param>
    /// <returns>A scalar in the caller's dispose scope; null = 1.</returns>
    public Tensor? AttentionGate(int layer, ScalarType dtype) => SubBlock(Attention, layer, dtype);

    internal Tensor? MlpGate(int layer, ScalarType dtype) => SubBlock(Mlp, layer, dtype);

    // [1]: sub-block gate times block gate.
    private Tensor? SubBlock(Tensor? gates, int layer, ScalarType dtype)
    {
        Tensor? own = gates?.narrow(0, layer, 1).to(dtype), block = Layers?.narrow(0, layer, 1).to(dtype);
        return own is null ? block : block is null ? own : own * block;
    }
}
