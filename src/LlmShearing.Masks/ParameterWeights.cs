namespace LlmShearing.Masks;

/// <summary>
/// How many parameters each unit stands for, so that masks have an expected size. As in LLM-Shearing only matrices of blocks count: no embeddings, norms and
/// biases. Replace values to count otherwise (CoFi counts biases).
/// </summary>
public sealed record ParameterWeights
{
    /// <summary>
    /// Parameters of a key/value head (rows of k and v): 2 * hidden size * head dimension. They go with the mask of the group, or of the query head where each has its own; with masks of
    /// query heads within groups alone they count as kept.
    /// </summary>
    public required double PerKeyValueHead { get; init; }

    /// <summary>Parameters of a query head (rows of q, columns of o): 2 * hidden size * head dimension.</summary>
    public required double PerQueryHead { get; init; }

    /// <summary>Parameters of a feed-forward channel: 3 * hidden size.</summary>
    public required double PerIntermediateChannel { get; init; }

    /// <summary>Parameters that masks can remove.</summary>
    public required double Prunable { get; init; }

    /// <summary>The same of the target; null when only the total is constrained.</summary>
    public double? PrunableOfTarget { get; init; }

    /// <summary>Counts by the shapes. Sub-blocks that no mask touches do not count: a mask of the hidden size or of blocks touches both.</summary>
    /// <param name="layout">The families.</param>
    /// <returns>The weights.</returns>
    public static ParameterWeights Of(MaskLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        bool Has(params PruningAxes[] axes) => axes.Any(a => layout[a] is not null);
        bool attention = Has(PruningAxes.Hidden, PruningAxes.Layers, PruningAxes.Attention, PruningAxes.QueryHeads, PruningAxes.KeyValueGroups);
        bool mlp = Has(PruningAxes.Hidden, PruningAxes.Layers, PruningAxes.Mlp, PruningAxes.Intermediate);
        double head = attention ? 2.0 * layout.Source.HiddenSize * layout.Source.HeadDim : 0;
        double Size(LlamaShape shape)
        {
            LayerShape l = shape.Layers[0];
            double perLayer = (attention ? 2.0 * shape.HiddenSize * shape.HeadDim * (l.QueryHeads + l.KeyValueHeads) : 0)
                + (mlp ? 3.0 * shape.HiddenSize * l.IntermediateSize : 0);
            return perLayer * shape.Layers.Length;
        }

        return new ParameterWeights
        {
            PerKeyValueHead = head,
            PerQueryHead = head,
            PerIntermediateChannel = mlp ? 3.0 * layout.Source.HiddenSize : 0,
            Prunable = Size(layout.Source),
            PrunableOfTarget = layout.Target is { } target ? Size(target) : null,
        };
    }
}
