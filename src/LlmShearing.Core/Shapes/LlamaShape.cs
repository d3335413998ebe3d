// All sizes of a LLaMA, per layer: what a plan starts from, what it aims at, and what parameters are counted on.
using System.Collections.Immutable;

namespace LlmShearing;

/// <summary>The sizes of a LLaMA-family model. Equality compares all sizes.</summary>
public sealed record LlamaShape
{
    /// <summary>Rows of the embedding and of the output projection.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Channels of one attention head; not necessarily hidden size / query heads.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Shape of every block, first to last.</summary>
    public required ImmutableArray<LayerShape> Layers { get; init; }

    /// <summary>Whether the output projection is the embedding matrix.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Whether the q, k and v projections have a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the o projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether gate, up and down have a bias.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether all blocks have the same shape, have both sub-blocks and equal groups, so that an ordinary Hugging Face folder can hold the model.</summary>
    public bool IsUniform => Layers.Length > 0 && Layers.All(l => l.HasAttention && l.HasMlp && l.HasEqualGroups && l.Equals(Layers[0]));

    /// <summary>Parameters of block <paramref name="layer"/>: projections, biases and norms. An absent sub-block has no norm either.</summary>
    /// <param name="layer">0-based block index.</param>
    /// <returns>A count.</returns>
    public long BlockParameterCount(int layer)
    {
        LayerShape l = Layers[layer];
        long h = HiddenSize, q = (long)l.QueryHeads * HeadDim, kv = (long)l.KeyValueHeads * HeadDim, i = l.IntermediateSize, n = 0;
        if (l.HasAttention)
            n += (2 * h * q) + (2 * h * kv) + h + (QueryKeyValueBias ? q + (2 * kv) : 0) + (OutputBias ? h : 0);
        if (l.HasMlp)
            n += (3 * h * i) + h + (MlpBias ? (2 * i) + h : 0);
        return n;
    }

    /// <summary>All parameters; tied embeddings count once.</summary>
    public long ParameterCount
    {
        get
        {
            long n = ((long)VocabSize * HiddenSize * (TiedEmbeddings ? 1 : 2)) + HiddenSize;
            for (int i = 0; i < Layers.Length; i++)
                n += BlockParameterCount(i);
            return n;
        }
    }

    /// <inheritdoc/>
    public bool Equals(LlamaShape? other) =>
        other is not null && VocabSize == other.VocabSize && HiddenSize == other.HiddenSize && HeadDim == other.HeadDim
        && TiedEmbeddings == other.TiedEmbeddings && QueryKeyValueBias == other.QueryKeyValueBias
        && OutputBias == other.OutputBias && MlpBias == other.MlpBias && Layers.AsSpan().SequenceEqual(other.Layers.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(VocabSize, HiddenSize, HeadDim, Layers.Length, TiedEmbeddings);
}
