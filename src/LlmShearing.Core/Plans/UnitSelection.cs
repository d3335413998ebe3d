// Hand-made plans: which units a person names, in the text form that command lines use.
using System.Collections.Immutable;
using LlmShearing.Shapes;

namespace LlmShearing.Plans;

/// <summary>Units kept in each block: one set for every block, or sets for some blocks while the others keep everything.</summary>
public sealed class UnitSelection
{
    private readonly IndexSet? _everywhere;
    private readonly ImmutableSortedDictionary<int, IndexSet> _byBlock;

    private UnitSelection(IndexSet? everywhere, ImmutableSortedDictionary<int, IndexSet> byBlock) => (_everywhere, _byBlock) = (everywhere, byBlock);

    /// <summary>The same units in every block.</summary>
    /// <param name="units">0-based units.</param>
    /// <returns>The selection.</returns>
    public static UnitSelection Everywhere(IndexSet units) => new(units, ImmutableSortedDictionary<int, IndexSet>.Empty);

    /// <summary>Units of some blocks; blocks that are not named keep everything. An empty set removes the sub-block.</summary>
    /// <param name="units">Units by source block.</param>
    /// <returns>The selection.</returns>
    public static UnitSelection ByBlock(IEnumerable<KeyValuePair<int, IndexSet>> units) => new(null, units.ToImmutableSortedDictionary());

    /// <summary>
    /// Reads <c>0-5,7</c> (the same units in every block) or <c>3:0-5;4:0-2</c> (units of blocks 3 and 4, the others whole; <c>3:</c> removes block 3's sub-block).
    /// </summary>
    /// <param name="text">One of the two forms.</param>
    /// <returns>The selection.</returns>
    /// <exception cref="PlanException">The text has neither form, or names a block twice.</exception>
    public static UnitSelection Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.Contains(':', StringComparison.Ordinal))
            return text.Length > 0 ? Everywhere(IndexSet.Parse(text)) : throw new PlanException("No units are named. Write for example 0-5,7 or, for single blocks, 3:0-5;4:0-2.");
        var byBlock = ImmutableSortedDictionary.CreateBuilder<int, IndexSet>();
        foreach (string part in text.Split(';'))
        {
            string[] sides = part.Split(':');
            IndexSet blocks = sides.Length == 2 ? IndexSet.Parse(sides[0], ShapeRules.MaxLayers) : IndexSet.Empty;
            if (blocks.Count == 0)
                throw new PlanException($"'{part}' is not of the form block:units, for example 3:0-5.");
            foreach (int block in blocks.Indices)
                if (!byBlock.TryAdd(block, IndexSet.Parse(sides[1])))
                    throw new PlanException($"Block {block} is named twice. Put all its units into one set.");
        }

        return new UnitSelection(null, byBlock.ToImmutable());
    }

    /// <summary>The text form that <see cref="Parse"/> reads.</summary>
    /// <returns>Text.</returns>
    public override string ToString() => _everywhere?.ToString() ?? string.Join(";", _byBlock.Select(b => $"{b.Key}:{b.Value}"));

    /// <summary>Units kept in one block, of which it has <paramref name="size"/>.</summary>
    internal IndexSet Of(int block, int size, string what)
    {
        IndexSet units = _everywhere ?? (_byBlock.TryGetValue(block, out IndexSet? named) ? named : IndexSet.All(size));
        return units.Count == 0 || units.Indices[^1] < size
            ? units
            : throw new PlanException($"{what}: index {units.Indices[^1]} of block {block} does not exist; the block has {size}.");
    }

    /// <summary>Refuses blocks that the plan does not keep: a typing error otherwise goes unnoticed.</summary>
    internal void EnsureAmong(IndexSet blocks, string what)
    {
        foreach (int block in _byBlock.Keys)
            if (!blocks.Indices.Contains(block))
                throw new PlanException($"{what}: block {block} is named, but the plan keeps blocks {blocks}. Correct the number, or keep that block.");
    }
}

/// <summary>Units that a person wants kept; null keeps all of an axis.</summary>
public sealed record KeptUnits
{
    /// <summary>Residual channels.</summary>
    public IndexSet? Hidden { get; init; }

    /// <summary>Blocks.</summary>
    public IndexSet? Layers { get; init; }

    /// <summary>Query heads.</summary>
    public UnitSelection? QueryHeads { get; init; }

    /// <summary>Intermediate channels.</summary>
    public UnitSelection? Intermediate { get; init; }
}
