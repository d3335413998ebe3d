// From a plan to slices: for every tensor of the result, which rows and columns of which source tensor it consists of.
using LlmShearing.Checkpoints;

namespace LlmShearing.Surgery;

/// <summary>What a tensor of the result is made of. One-dimensional tensors count as one row.</summary>
/// <param name="Source">Source tensor; null when all elements are <paramref name="Fill"/>.</param>
/// <param name="Rows">Source rows by result row.</param>
/// <param name="Columns">Source columns by result column.</param>
/// <param name="Fill">Value of a tensor without source: 0, or 1 for a norm.</param>
internal sealed record TensorSlice(CheckpointTensor? Source, UnitRuns Rows, UnitRuns Columns, float Fill);

internal sealed class TensorSlicer
{
    private static readonly UnitRuns OneRow = UnitRuns.All(1);

    private readonly LlamaCheckpoint _source;
    private readonly PruningPlan _plan;
    private readonly UnitRuns _vocabulary, _hidden;
    private readonly LlamaShape? _padded;
    private (int Layer, UnitRuns Query, UnitRuns KeyValue, UnitRuns Intermediate)? _layer;

    /// <param name="source">The checkpoint.</param>
    /// <param name="plan">A valid plan for it.</param>
    /// <param name="padded">Uniform shape to fill up to with zeros; null for the plan's own target.</param>
    public TensorSlicer(LlamaCheckpoint source, PruningPlan plan, LlamaShape? padded)
    {
        (_source, _plan, _padded) = (source, plan, padded);
        _vocabulary = UnitRuns.All(plan.Source.VocabSize);
        _hidden = UnitRuns.Of(plan.Hidden.Indices);
    }

    /// <summary>The source tensor of a tensor of the result; null when a padded sub-block has none.</summary>
    public CheckpointTensor? Source(LlamaTensor tensor)
    {
        int layer = tensor.Layer < 0 ? -1 : _plan.Layers[tensor.Layer].SourceIndex;
        return _source.Tensors.GetValueOrDefault(LlamaTensorNames.Of(tensor.Part, layer, tensor.IsBias));
    }

    public TensorSlice Slice(LlamaTensor tensor)
    {
        if (tensor.Part is LlamaPart.Embedding or LlamaPart.Head)
            return new TensorSlice(Source(tensor), _vocabulary, _hidden, 0);
        if (tensor.Part == LlamaPart.FinalNorm)
            return new TensorSlice(Source(tensor), OneRow, _hidden, 0);
        LayerPlan layer = _plan.Layers[tensor.Layer];
        bool attention = tensor.Part is LlamaPart.Query or LlamaPart.Key or LlamaPart.Value or LlamaPart.Output or LlamaPart.InputNorm;
        if ((attention ? layer.QueryHeads : layer.Intermediate).Count == 0)
            return Absent(tensor);
        (_, UnitRuns query, UnitRuns keyValue, UnitRuns intermediate) = Layer(tensor.Layer);
        (UnitRuns rows, UnitRuns columns) = tensor.Part switch
        {
            LlamaPart.Query => (query, _hidden),
            LlamaPart.Key or LlamaPart.Value => (keyValue, _hidden),
            LlamaPart.Output => (_hidden, query),
            LlamaPart.Gate or LlamaPart.Up => (intermediate, _hidden),
            LlamaPart.Down => (_hidden, intermediate),
            _ => (_hidden, OneRow),
        };
        return tensor.Shape.Length == 1
            ? new TensorSlice(Source(tensor), OneRow, rows, 0)
            : new TensorSlice(Source(tensor), rows, columns, 0);
    }

    /// <summary>A sub-block that is not there computes zero: its projections and biases are zero; its norm may be anything finite and is one.</summary>
    private static TensorSlice Absent(LlamaTensor tensor)
    {
        float fill = tensor.Part is LlamaPart.InputNorm or LlamaPart.PostAttentionNorm ? 1 : 0;
        return new TensorSlice(null, UnitRuns.All(tensor.Shape.Length == 1 ? 1 : tensor.Shape[0]), UnitRuns.All(tensor.Shape[^1]), fill);
    }

    /// <summary>The runs of one layer; kept for the tensors that follow, which are mostly of the same layer.</summary>
    private (int Layer, UnitRuns Query, UnitRuns KeyValue, UnitRuns Intermediate) Layer(int layer)
    {
        if (_layer?.Layer == layer)
            return _layer.Value;
        LayerPlan kept = _plan.Layers[layer];
        IEnumerable<int> query = kept.QueryHeads.Indices, keyValue = _plan.KeyValueHeads(layer).Indices, intermediate = kept.Intermediate.Indices;
        if (_padded?.Layers[layer] is LayerShape target)
        {
            query = PadGroups(kept, keyValue, target);
            keyValue = Pad(keyValue, target.KeyValueHeads);
            intermediate = Pad(intermediate, target.IntermediateSize);
        }

        int headDim = _plan.Source.HeadDim;
        _layer = (layer, UnitRuns.Of(query, headDim), UnitRuns.Of(keyValue, headDim), UnitRuns.Of(intermediate));
        return _layer.Value;
    }

    private static IEnumerable<int> Pad(IEnumerable<int> units, int count) =>
        units.Concat(Enumerable.Repeat(-1, count)).Take(count);

    /// <summary>
    /// Query heads must stay with their key/value head, so every group is filled up by itself. A zero query head attends evenly over the
    /// values, but its columns of the output projection are zero.
    /// </summary>
    private List<int> PadGroups(LayerPlan kept, IEnumerable<int> keyValueHeads, LayerShape target)
    {
        int[] owner = _plan.Source.Layers[kept.SourceIndex].KeyValueHeadOfQueryHead();
        ILookup<int, int> groups = kept.QueryHeads.Indices.ToLookup(q => owner[q]);
        int size = target.QueryHeads / target.KeyValueHeads;
        return [.. Pad(keyValueHeads, target.KeyValueHeads).SelectMany(head => Pad(head < 0 ? [] : groups[head], size))];
    }
}
