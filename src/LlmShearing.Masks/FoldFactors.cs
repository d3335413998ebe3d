// What the channels of the cut model are multiplied by, layer by layer. Null = ones.
using static TorchSharp.torch;

namespace LlmShearing.Masks;

/// <summary>Factors of kept units as tensors in the dispose scope that is current when they are asked for.</summary>
internal sealed class FoldFactors
{
    private readonly UnitValues _units;
    private readonly PruningPlan _plan;
    private readonly ScalarType _dtype;
    private readonly Device _device;

    /// <param name="values">Masks.</param>
    /// <param name="plan">What stays.</param>
    /// <param name="dtype">Type of the factors: float32 or float64.</param>
    /// <param name="device">Device of the factors.</param>
    public FoldFactors(MaskValues values, PruningPlan plan, ScalarType dtype, Device device)
    {
        (_units, _plan, _dtype, _device) = (new UnitValues(values), plan, dtype, device);
        Hidden = Factor(plan.Hidden.Indices.Select(_units.Hidden));
    }

    /// <summary>Residual channels [H].</summary>
    public Tensor? Hidden { get; }

    /// <summary>
    /// Channels of the value projection [Nkv * hd]: the value of the group and, where the key/value head serves a single query head, of that one. Both are exact here,
    /// since attention weights sum to one over v and its bias alike.
    /// </summary>
    /// <param name="layer">Block of the cut model.</param>
    public Tensor? ValueRows(int layer)
    {
        (int source, LayerShape shape) = Source(layer);
        int[] owner = shape.KeyValueHeadOfQueryHead();
        return Channels(_plan.KeyValueHeads(layer).Indices.Select(head =>
            _units.Group(source, head) * (shape.GroupSize(head) == 1 ? _units.Query(source, Array.IndexOf(owner, head)) : 1)));
    }

    /// <summary>Input channels of the output projection [Nq * hd]: the values of query heads that share their value projection with others.</summary>
    /// <param name="layer">Block of the cut model.</param>
    public Tensor? OutputColumns(int layer)
    {
        (int source, LayerShape shape) = Source(layer);
        int[] owner = shape.KeyValueHeadOfQueryHead();
        return Channels(_plan.Layers[layer].QueryHeads.Indices.Select(q => shape.GroupSize(owner[q]) == 1 ? 1 : _units.Query(source, q)));
    }

    /// <summary>Intermediate channels [I].</summary>
    /// <param name="layer">Block of the cut model.</param>
    public Tensor? Intermediate(int layer) => Factor(_plan.Layers[layer].Intermediate.Indices.Select(i => _units.Intermediate(_plan.Layers[layer].SourceIndex, i)));

    /// <summary>The attention sub-block [1].</summary>
    /// <param name="layer">Block of the cut model.</param>
    public Tensor? Attention(int layer) => Factor([_units.Attention(_plan.Layers[layer].SourceIndex)]);

    /// <summary>The feed-forward sub-block [1].</summary>
    /// <param name="layer">Block of the cut model.</param>
    public Tensor? Mlp(int layer) => Factor([_units.Mlp(_plan.Layers[layer].SourceIndex)]);

    private (int Index, LayerShape Shape) Source(int layer) => (_plan.Layers[layer].SourceIndex, _plan.Source.Layers[_plan.Layers[layer].SourceIndex]);

    private Tensor? Channels(IEnumerable<double> heads) => Factor(heads.SelectMany(value => Enumerable.Repeat(value, _plan.Source.HeadDim)));

    private Tensor? Factor(IEnumerable<double> values)
    {
        double[] factors = [.. values];
        return factors.All(f => f == 1) ? null : tensor(factors, dtype: _dtype, device: _device);
    }
}
