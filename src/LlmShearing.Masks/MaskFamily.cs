namespace LlmShearing.Masks;

/// <summary>
/// A set of mask entries of one kind: <see cref="Rows"/> rows of <see cref="Size"/> entries. Constraint and choice of survivors hold for each row by itself. Flat entries are in row-major
/// order, which is also the order of the units in the model:
/// Hidden [1, H]; Intermediate [L, I]; Layers, Attention and Mlp [1, L]; QueryHeads [L, Nq] when every query head has its own key/value head, else [L * Nkv, Nq / Nkv] (query heads within
/// each group, so that equally many stay in every group); KeyValueGroups [L, Nkv].
/// </summary>
/// <param name="Axis">A single axis.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Size">Entries in a row.</param>
/// <param name="TargetSize">Entries of a row that are to stay; null when only the total is constrained.</param>
public sealed record MaskFamily(PruningAxes Axis, int Rows, int Size, int? TargetSize)
{
    /// <summary>Entries of all rows.</summary>
    public int Count => Rows * Size;

    /// <summary>Name in logs, checkpoints and files: hidden, query-heads, key-value-groups, intermediate, layers, attention, mlp.</summary>
    public string Name => NameOf(Axis);

    /// <summary>1 - target size / size; null without a target size.</summary>
    public double? TargetSparsity => TargetSize is { } kept ? 1 - ((double)kept / Size) : null;

    /// <summary>The name of an axis in logs, checkpoints and files.</summary>
    /// <param name="axis">A single axis.</param>
    /// <returns>A kebab-case name.</returns>
    /// <exception cref="MaskException">It is not a single axis.</exception>
    public static string NameOf(PruningAxes axis) => Array.Find(Known, k => k.Axis == axis).Name
        ?? throw new MaskException($"{axis} is not a single kind of unit. Known: {NameList}.");

    /// <summary>Reads names of axes, as configuration files give them.</summary>
    /// <param name="names">Names like those of <see cref="NameOf"/>, each once.</param>
    /// <returns>The axes together.</returns>
    /// <exception cref="MaskException">A name is unknown, given twice, or one of LLM-Shearing's that no model can have.</exception>
    public static PruningAxes Parse(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        PruningAxes axes = PruningAxes.None;
        foreach (string name in names)
        {
            PruningAxes axis = Array.Find(Known, k => k.Name == name).Axis;
            if (name is "qk-head-dim" or "vo-head-dim")
                throw new MaskException($"Masks inside heads ('{name}') are not supported: rotary positions and the scale of attention depend on the head dimension, and the original code cannot run them either. Known: {NameList}.");
            if (axis == PruningAxes.None)
                throw new MaskException($"No masks are known as '{name}'. Known: {NameList}.");
            if (axes.HasFlag(axis))
                throw new MaskException($"The masks '{name}' are given twice. Give each once.");
            axes |= axis;
        }

        return axes;
    }

    private static readonly (PruningAxes Axis, string Name)[] Known =
    [
        (PruningAxes.Hidden, "hidden"), (PruningAxes.KeyValueGroups, "key-value-groups"), (PruningAxes.QueryHeads, "query-heads"),
        (PruningAxes.Intermediate, "intermediate"), (PruningAxes.Layers, "layers"), (PruningAxes.Attention, "attention"), (PruningAxes.Mlp, "mlp"),
    ];

    /// <summary>All names, for messages and help.</summary>
    public static string NameList => string.Join(", ", Known.Select(k => k.Name));
}
