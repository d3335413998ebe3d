// Weight norms of width units. A unit is everything that is cut together: see the table of axes in PruningAxes.
using LlmShearing.Devices;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>Sums |W|^p over coupled groups while the blocks of a model go by, or takes the largest, channel by channel.</summary>
/// <param name="shape">Shape of the model.</param>
/// <param name="power">p.</param>
/// <param name="largest">Whether the largest counts. Then norm weights and the embedding do not: single numbers beside sums over a matrix.</param>
internal sealed class GroupMagnitude(LlamaShape shape, double power, bool largest)
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
            if (!largest)
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
            if (!largest)
                Accumulate(_hidden, TensorScore.RowSums(block.post_attention_layernorm!.weight, power));
        }
    }

    /// <summary>Adds embedding, final norm and output projection, which only hidden channels cross. A tied matrix counts once.</summary>
    public void AddEnds(ILlamaSource source)
    {
        // The columns of a matrix that comes in chunks of rows are summed first, also where the largest matrix counts.
        double[] matrix = new double[shape.HiddenSize];
        for (int start = 0; start < shape.VocabSize && (!largest || shape.TiedEmbeddings); start += RowsAtOnce)
        {
            using var scope = NewDisposeScope();
            Tensor ids = arange(start, Math.Min(start + RowsAtOnce, shape.VocabSize), dtype: ScalarType.Int64, device: source.Device).unsqueeze(0);
            Sum(matrix, TensorScore.ColumnSums(source.Embed(ids).squeeze(0), power));
        }

        if (!shape.TiedEmbeddings)
            foreach ((_, Tensor weight) in source.HeadChunks(RowsAtOnce))
                Sum(matrix, TensorScore.ColumnSums(weight, power));
        for (int i = 0; i < matrix.Length; i++)
            _hidden[i] = Reduced(_hidden[i], matrix[i]);
        if (largest)
            return;
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
        if (largest)
        {
            AddLargestOfHeads(attention, layer);
        }
        else
        {
            AddSumOfHeads(attention, layer);
        }

        Accumulate(_hidden, TensorScore.ColumnSums(attention.q_proj.weight, power));
        Accumulate(_hidden, TensorScore.ColumnSums(attention.k_proj.weight, power));
        Accumulate(_hidden, TensorScore.ColumnSums(attention.v_proj.weight, power));
        Accumulate(_hidden, TensorScore.RowSums(attention.o_proj.weight, power));
    }

    private void AddSumOfHeads(LlamaAttention attention, int layer)
    {
        double[] queries = new double[shape.Layers[layer].QueryHeads], keys = new double[shape.Layers[layer].KeyValueHeads];
        SumHeads(queries, TensorScore.RowSums(attention.q_proj.weight, power));
        SumHeads(queries, TensorScore.ColumnSums(attention.o_proj.weight, power));
        SumHeads(keys, TensorScore.RowSums(attention.k_proj.weight, power));
        SumHeads(keys, TensorScore.RowSums(attention.v_proj.weight, power));
        int[] groupOfHead = shape.Layers[layer].KeyValueHeadOfQueryHead();
        for (int q = 0; q < queries.Length; q++)
        {
            int group = groupOfHead[q];
            _groups[layer][group] += queries[q];
            _heads[layer][q] += queries[q] + (shape.Layers[layer].GroupSize(group) == 1 ? keys[group] : 0);
        }

        for (int group = 0; group < keys.Length; group++)
            _groups[layer][group] += keys[group];
    }

    // Channel c of a query head meets row c of k and v of the head that serves it.
    private void AddLargestOfHeads(LlamaAttention attention, int layer)
    {
        float[] queries = HostValues.Floats(maximum(TensorScore.RowSums(attention.q_proj.weight, power), TensorScore.ColumnSums(attention.o_proj.weight, power)));
        float[] keys = HostValues.Floats(maximum(TensorScore.RowSums(attention.k_proj.weight, power), TensorScore.RowSums(attention.v_proj.weight, power)));
        int[] groupOfHead = shape.Layers[layer].KeyValueHeadOfQueryHead();
        for (int q = 0; q < groupOfHead.Length; q++)
        {
            int group = groupOfHead[q];
            bool alone = shape.Layers[layer].GroupSize(group) == 1;
            for (int c = 0; c < shape.HeadDim; c++)
            {
                double own = queries[(q * shape.HeadDim) + c], all = Math.Max(own, keys[(group * shape.HeadDim) + c]);
                _groups[layer][group] += all;
                _heads[layer][q] += alone ? all : own;
            }
        }
    }

    // [heads * hd] -> [heads]
    private void SumHeads(double[] heads, Tensor channels) => Sum(heads, channels.view(-1, shape.HeadDim).sum(1));

    private void Accumulate(double[] into, Tensor values)
    {
        float[] read = HostValues.Floats(values);
        for (int i = 0; i < into.Length; i++)
            into[i] = Reduced(into[i], read[i]);
    }

    private double Reduced(double before, double value) => largest ? Math.Max(before, value) : before + value;

    private static void Sum(double[] into, Tensor values)
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
