// Mask values by unit instead of flat: where each layer's entries begin, and ones for axes that have no mask.
namespace LlmShearing.Masks;

internal sealed class UnitValues
{
    private readonly LlamaShape _shape;
    private readonly MaskValues _values;
    private readonly int[] _queryStart, _groupStart, _intermediateStart;
    private readonly int[][] _owner;   // [layer][query head] -> key/value head

    public UnitValues(MaskValues values)
    {
        (_values, _shape) = (values, values.Source);
        _queryStart = Starts(l => l.QueryHeads);
        _groupStart = Starts(l => l.KeyValueHeads);
        _intermediateStart = Starts(l => l.IntermediateSize);
        _owner = [.. _shape.Layers.Select(l => l.KeyValueHeadOfQueryHead())];
    }

    public bool KeepsAttention(int layer) => Value(PruningAxes.Attention, layer) != 0 && Value(PruningAxes.Layers, layer) != 0;

    public bool KeepsMlp(int layer) => Value(PruningAxes.Mlp, layer) != 0 && Value(PruningAxes.Layers, layer) != 0;

    public double Hidden(int channel) => Value(PruningAxes.Hidden, channel);

    public double Query(int layer, int head) => Value(PruningAxes.QueryHeads, _queryStart[layer] + head);

    public double Group(int layer, int head) => Value(PruningAxes.KeyValueGroups, _groupStart[layer] + head);

    public double GroupOfQuery(int layer, int queryHead) => Group(layer, _owner[layer][queryHead]);

    public double Intermediate(int layer, int channel) => Value(PruningAxes.Intermediate, _intermediateStart[layer] + channel);

    public double Attention(int layer) => Value(PruningAxes.Attention, layer) * Value(PruningAxes.Layers, layer);

    public double Mlp(int layer) => Value(PruningAxes.Mlp, layer) * Value(PruningAxes.Layers, layer);

    private double Value(PruningAxes axis, int index) => _values[axis] is { } entries ? entries.Span[index] : 1;

    private int[] Starts(Func<LayerShape, int> size)
    {
        int[] starts = new int[_shape.Layers.Length];
        for (int l = 1; l < starts.Length; l++)
            starts[l] = starts[l - 1] + size(_shape.Layers[l - 1]);
        return starts;
    }
}
