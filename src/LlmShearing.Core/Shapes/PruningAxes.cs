namespace LlmShearing;

/// <summary>The kinds of units that can be removed.</summary>
[Flags]
public enum PruningAxes
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Residual channels; scores and gates [H].</summary>
    Hidden = 1,

    /// <summary>Query heads; [L, Nq]. A key/value head goes when its last query head goes.</summary>
    QueryHeads = 2,

    /// <summary>A key/value head with its query heads; [L, Nkv].</summary>
    KeyValueGroups = 4,

    /// <summary>Feed-forward channels; [L, I].</summary>
    Intermediate = 8,

    /// <summary>Attention sub-blocks; [L].</summary>
    Attention = 16,

    /// <summary>Feed-forward sub-blocks; [L].</summary>
    Mlp = 32,

    /// <summary>Whole blocks; [L].</summary>
    Layers = 64,

    /// <summary>The axes of width pruning.</summary>
    Width = Hidden | QueryHeads | KeyValueGroups | Intermediate,
}
