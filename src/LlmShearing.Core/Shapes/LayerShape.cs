// The sizes of one transformer block. A pruned model may have a different shape in every layer.
using System.Collections.Immutable;

namespace LlmShearing;

/// <summary>Sizes of one block. Zero heads means that the attention sub-block is absent; zero intermediate size, that the feed-forward one is.</summary>
/// <param name="QueryHeads">Number of query heads (0 = no attention sub-block).</param>
/// <param name="KeyValueHeads">Number of key/value heads (0 with no query heads).</param>
/// <param name="IntermediateSize">Width of the feed-forward sub-block (0 = absent).</param>
public sealed record LayerShape(int QueryHeads, int KeyValueHeads, int IntermediateSize)
{
    /// <summary>
    /// Query heads served by each key/value head, in order; sums to <see cref="QueryHeads"/>.
    /// Default (uninitialised) means that all key/value heads serve equally many.
    /// </summary>
    public ImmutableArray<int> GroupSizes { get; init; }

    /// <summary>Whether the block has an attention sub-block.</summary>
    public bool HasAttention => QueryHeads > 0;

    /// <summary>Whether the block has a feed-forward sub-block.</summary>
    public bool HasMlp => IntermediateSize > 0;

    /// <summary>Whether every key/value head serves equally many query heads (always true for an ordinary Hugging Face model).</summary>
    public bool HasEqualGroups => GroupSizes.IsDefaultOrEmpty || GroupSizes.All(size => size == GroupSizes[0]);

    /// <summary>Number of query heads served by key/value head <paramref name="keyValueHead"/>.</summary>
    /// <param name="keyValueHead">0-based key/value head.</param>
    /// <returns>A count of query heads.</returns>
    public int GroupSize(int keyValueHead) =>
        GroupSizes.IsDefaultOrEmpty ? QueryHeads / KeyValueHeads : GroupSizes[keyValueHead];

    /// <summary>The key/value head that each query head reads, in query-head order (Hugging Face order: neighbours share a head).</summary>
    /// <returns>An array of length <see cref="QueryHeads"/>.</returns>
    public int[] KeyValueHeadOfQueryHead()
    {
        var map = new int[QueryHeads];
        for (int head = 0, q = 0; head < KeyValueHeads; head++)
            for (int i = 0; i < GroupSize(head); i++)
                map[q++] = head;
        return map;
    }

    /// <inheritdoc/>
    public bool Equals(LayerShape? other) =>
        other is not null && QueryHeads == other.QueryHeads && KeyValueHeads == other.KeyValueHeads
        && IntermediateSize == other.IntermediateSize
        && ((HasEqualGroups && other.HasEqualGroups) || (!HasEqualGroups && !other.HasEqualGroups && GroupSizes.AsSpan().SequenceEqual(other.GroupSizes.AsSpan())));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(QueryHeads, KeyValueHeads, IntermediateSize);
}
