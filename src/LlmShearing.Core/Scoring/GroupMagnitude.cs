// Weight norms of width units. A unit is everything that is cut together: see the table of axes in PruningAxes.
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>Sums |W|^p over coupled groups while the blocks of a model go by.</summary>
internal sealed class GroupMagnitude(LlamaShape shape, double power)
{
    private const int RowsAtOnce = 4096;
    private readonly double[] _hidden = new double[shape.HiddenSize];
    private readonly double[][] _heads = [.. shape.Layers.Select(l => new double[l.QueryHeads])];
    private readonly double[][] _groups = [.. shape.Layers.Select(l => new double[l.KeyValueHeads])];
    private readonly double[][] _channels = [.. shape.Layers.Select(l => new double[l.IntermediateSize])];

    /// <summary>Adds the weights of a block.</summary>
    public void Add(LlamaBlock block)
    {
        using var scope = NewDisposeScope();
        if (block.self_attn is { } attention)
        {
            AddAttention(attention, block.Layer);
            Accumulate(_hidden, TensorScore.RowSums(block.input_layernorm!.weight, power));
        }

        if (block.mlp is { } mlp)
        {
            double[] channels = _channels[block.Layer];
            Accumulate(channels, TensorScore.RowSums(mlp.gate_proj.weight, power));
            Accumulate(channels, TensorScore.RowSums(mlp.up_proj.weight, power));
            Accumulate(channels, TensorScore.ColumnSums(mlp.down_proj.weight, power));
            Accumulate(_hidden, TensorScore.ColumnSums(mlp.gate_proj.weight, power));
            Accumulate(_hidden, TensorScore.ColumnSums(mlp.up_proj.weight, power));
            Accumulate(_hidden, TensorScore.RowSums(mlp.down_proj.weight, power));
            Accumulate(_hidden, TensorScore.RowSums(block.post_attention_layernorm!.weight, power));
        }
    }

    /// <summary>Adds embedding, final norm and output projection, which only hidden channels cross. A tied matrix counts once.</summary>
    public void AddEnds(ILlamaSource source)
    {
        for (int start = 0; start < shape.VocabSize; start += RowsAtOnce)
        {
            using var scope = NewDisposeScope();
            Tensor ids = arange(start, Math.Min(start + RowsAtOnce, shape.VocabSize), dtype: ScalarType.Int64, device: source.Device).unsqueeze(0);
            Accumulate(_hidden, TensorScore.ColumnSums(source.Embed(ids).squeeze(0), power));
        }

        if (!shape.TiedEmbeddings)
            foreach ((_, Tensor weight) in source.HeadChunks(RowsAtOnce))
                Accumulate(_hidden, TensorScore.ColumnSums(weight, power));
        using var end = NewDisposeScope();
        // A source lends no final norm weight, but the norm of a constant row is the weight; at 1e4 its epsilon is lost in rounding.
        Tensor constant = full([1, shape.HiddenSize], 1e4, dtype: source.Dtype, device: source.Device);
        Accumulate(_hidden, TensorScore.RowSums(source.FinalNorm(constant).squeeze(0), power));
    }

    /// <summary>The scores of the wanted axes.</summary>
    public ImportanceScores AddTo(ImportanceScores scores, PruningAxes axes)
    {
        Finite(_hidden, "hidden channels");
        if (axes.HasFlag(PruningAxes.Hidden))
            scores = scores.With(PruningAxes.Hidden, _hidden);
        if (axes.HasFlag(PruningAxes.QueryHeads))
            scores = scores.With(PruningAxes.QueryHeads, _heads);
        if (axes.HasFlag(PruningAxes.KeyValueGroups))
            scores = scores.With(PruningAxes.KeyValueGroups, _groups);
        return axes.HasFlag(PruningAxes.Intermediate) ? scores.With(PruningAxes.Intermediate, _channels) : scores;
    }

    // A query head owns its rows of q and columns of o, and those of k and v too when no other head shares them.
    private void AddAttention(LlamaAttention attention, int layer)
    {
        double[] queries = new double[shape.Layers[layer].QueryHeads], keys = new double[shape.Layers[layer].KeyValueHeads];
        AccumulateHeads(queries, TensorScore.RowSums(attention.q_proj.weight, power));
        AccumulateHeads(queries, TensorScore.ColumnSums(attention.o_proj.weight, power));
        AccumulateHeads(keys, TensorScore.RowSums(attention.k_proj.weight, power));
        AccumulateHeads(keys, TensorScore.RowSums(attention.v_proj.weight, power));
        int[] groupOfHead = shape.Layers[layer].KeyValueHeadOfQueryHead();
        for (int q = 0; q < queries.Length; q++)
        {
            int group = groupOfHead[q];
            _groups[layer][group] += queries[q];
            _heads[layer][q] += queries[q] + (shape.Layers[layer].GroupSize(group) == 1 ? keys[group] : 0);
        }

        for (int group = 0; group < keys.Length; group++)
            _groups[layer][group] += keys[group];
        Accumulate(_hidden, TensorScore.ColumnSums(attention.q_proj.weight, power));
        Accumulate(_hidden, TensorScore.ColumnSums(attention.k_proj.weight, power));
        Accumulate(_hidden, TensorScore.ColumnSums(attention.v_proj.weight, power));
        Accumulate(_hidden, TensorScore.RowSums(attention.o_proj.weight, power));
    }

    // [heads * hd] -> [heads]
    private void AccumulateHeads(double[] heads, Tensor channels) => Accumulate(heads, channels.view(-1, shape.HeadDim).sum(1));

    private static void Accumulate(double[] into, Tensor values)
    {
        float[] read = HostValues.Floats(values);
        for (int i = 0; i < into.Length; i++)
            into[i] += read[i];
    }

    private static void Finite(double[] values, string what)
    {
        int bad = Array.FindIndex(values, v => !double.IsFinite(v));
        if (bad >= 0)
            throw new ScoringException($"The weight norm of {what} overflows at unit {bad}. Use a smaller norm power, or check the weights.");
    }
}
