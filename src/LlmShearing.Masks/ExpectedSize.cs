// The expected number of parameters under masks, by products of sums instead of the reference's outer products, and its derivatives.
namespace LlmShearing.Masks;

/// <summary>
/// size = mean hidden score * sum over blocks of [a * sum over groups g * (kv + q * sum of query-head scores) + m * i * sum of channel scores], where kv, q, i
/// are <see cref="ParameterWeights"/>, g is the score of a group and a and m those of a block's sub-blocks; families that are absent score 1. With a key/value
/// head for every query head the two go together, and a head weighs kv + q (LLM-Shearing's 4 D² / H).
/// </summary>
internal sealed class ExpectedSize
{
    private readonly MaskLayout _layout;
    private readonly ParameterWeights _weights;
    private readonly int _layers, _groups, _groupSize, _intermediate;

    public ExpectedSize(MaskLayout layout, ParameterWeights weights)
    {
        LayerShape l = layout.Source.Layers[0];
        (_layout, _weights, _layers, _groups, _groupSize, _intermediate) =
            (layout, weights, layout.Source.Layers.Length, l.KeyValueHeads, l.QueryHeads / l.KeyValueHeads, l.IntermediateSize);
    }

    /// <summary>The expected size; adds factor * d size / d score to <paramref name="gradients"/> when given.</summary>
    public double Evaluate(IReadOnlyDictionary<PruningAxes, double[]> scores, double factor = 0, IReadOnlyDictionary<PruningAxes, double[]>? gradients = null)
    {
        double[]? Of(PruningAxes axis, IReadOnlyDictionary<PruningAxes, double[]>? from) => from is null || _layout[axis] is null ? null : from[axis];
        double[]? hidden = Of(PruningAxes.Hidden, scores);
        double width = hidden is null ? 1 : hidden.Sum() / hidden.Length, size = 0, scale = factor * width;
        for (int layer = 0; layer < _layers; layer++)
        {
            PruningAxes attentionAxis = _layout[PruningAxes.Layers] is null ? PruningAxes.Attention : PruningAxes.Layers;
            PruningAxes mlpAxis = _layout[PruningAxes.Layers] is null ? PruningAxes.Mlp : PruningAxes.Layers;
            double attention = Of(attentionAxis, scores)?[layer] ?? 1, mlp = Of(mlpAxis, scores)?[layer] ?? 1;
            double heads = Attention(layer, scale * attention, Of(PruningAxes.KeyValueGroups, scores), Of(PruningAxes.QueryHeads, scores),
                Of(PruningAxes.KeyValueGroups, gradients), Of(PruningAxes.QueryHeads, gradients));
            double channels = Mlp(layer, scale * mlp, Of(PruningAxes.Intermediate, scores), Of(PruningAxes.Intermediate, gradients));
            size += (attention * heads) + (mlp * channels);
            if (Of(attentionAxis, gradients) is { } attentionGradient)
                attentionGradient[layer] += scale * heads;
            if (Of(mlpAxis, gradients) is { } mlpGradient)
                mlpGradient[layer] += scale * channels;
        }

        if (Of(PruningAxes.Hidden, gradients) is { } hiddenGradient)
            for (int i = 0; i < hiddenGradient.Length; i++)
                hiddenGradient[i] += factor * size / hiddenGradient.Length;
        return width * size;
    }

    private double Attention(int layer, double factor, double[]? groups, double[]? queries, double[]? groupGradient, double[]? queryGradient)
    {
        bool together = _groupSize == 1 && queries is not null;
        double sum = 0;
        for (int g = layer * _groups; g < (layer + 1) * _groups; g++)
        {
            double group = groups?[g] ?? 1, alive = 0;
            for (int j = g * _groupSize; j < (g + 1) * _groupSize; j++)
            {
                alive += queries?[j] ?? 1;
                if (queryGradient is not null)
                    queryGradient[j] += factor * group * (_weights.PerQueryHead + (together ? _weights.PerKeyValueHead : 0));
            }

            double within = (_weights.PerKeyValueHead * (together ? alive : 1)) + (_weights.PerQueryHead * alive);
            sum += group * within;
            if (groupGradient is not null)
                groupGradient[g] += factor * within;
        }

        return sum;
    }

    private double Mlp(int layer, double factor, double[]? scores, double[]? gradient)
    {
        if (gradient is not null)
            foreach (ref double d in gradient.AsSpan(layer * _intermediate, _intermediate))
                d += factor * _weights.PerIntermediateChannel;
        if (scores is null)
            return _weights.PerIntermediateChannel * _intermediate;
        double alive = 0;
        foreach (double s in scores.AsSpan(layer * _intermediate, _intermediate))
            alive += s;
        return _weights.PerIntermediateChannel * alive;
    }
}
