// How many blocks a depth option means for a given model, and how many may go at all. Never fewer than asked: a request that cannot be met is refused.
namespace LlmShearing.Planning;

internal sealed class DepthBudget
{
    private readonly BlockDepthOptions _options;
    private readonly LlamaShape _source;

    public DepthBudget(BlockDepthOptions options, LlamaShape source)
    {
        (_options, _source) = (options, source);
        if (options.ProtectFirst < 0 || options.ProtectLast < 0)
            throw new PlanException($"ProtectFirst is {options.ProtectFirst} and ProtectLast {options.ProtectLast}; both must be 0 or more.");
    }

    /// <summary>Blocks that may go: not protected, and one has to stay.</summary>
    public int MayGo => (int)Math.Max(0, Math.Min(Blocks - 1L, Blocks - (long)_options.ProtectFirst - _options.ProtectLast));

    private int Blocks => _source.Layers.Length;

    public bool IsProtected(int block) => block < _options.ProtectFirst || block >= (long)Blocks - _options.ProtectLast;

    /// <summary>The number of blocks to remove, or null when it depends on which ones go (a parameter target).</summary>
    public int? Count()
    {
        string[] amounts = _options.Amounts();
        if (amounts.Length != 1)
            throw new PlanException($"{(amounts.Length == 0 ? "No amount is given" : string.Join(" and ", amounts) + " are given")}: give exactly one of Count, Ratio, TargetParameters and Blocks.");
        int? count = _options.Count ?? (_options.Ratio is double ratio ? FromRatio(ratio) : null);
        if (count is int n)
            EnsureMayGo(n);
        return count;
    }

    public void EnsureMayGo(int count)
    {
        if (count < 0)
            throw new PlanException($"{count} blocks cannot be removed; give 0 or more.");
        if (count > MayGo)
            throw new PlanException($"{count} of {Blocks} blocks should go, but only {MayGo} may{Protection()}. Remove fewer, or protect fewer.");
    }

    /// <summary>Checks an explicit list and gives it back in its order.</summary>
    public int[] Listed()
    {
        int[] blocks = [.. _options.Blocks!];
        foreach (int block in IndexSet.Of(blocks).Indices)
        {
            if (block >= Blocks)
                throw new PlanException($"Block {block} cannot be removed: the model has blocks 0 to {Blocks - 1}.");
            if (IsProtected(block))
                throw new PlanException($"Block {block} should go, but it is protected{Protection()}. Take it off the list, or set the protection to 0.");
        }

        EnsureMayGo(blocks.Length);
        return blocks;
    }

    /// <summary>Whether the model without <paramref name="removed"/> is small enough.</summary>
    public bool Meets(long targetParameters, IEnumerable<int> removed) => ParametersWithout(removed) <= targetParameters;

    public PlanException TooSmall(long targetParameters, long smallest) =>
        new($"At most {targetParameters} parameters should stay, but removing all {MayGo} blocks that may go{Protection()} leaves {smallest}. Ask for at least that many, protect fewer blocks, or prune widths too.");

    public long ParametersWithout(IEnumerable<int> removed) => _source.ParameterCount - removed.Sum(_source.BlockParameterCount);

    private string Protection() => _options.ProtectFirst + _options.ProtectLast == 0
        ? " (one has to stay)"
        : $" (the first {_options.ProtectFirst} and the last {_options.ProtectLast} are protected)";

    // Decimal arithmetic: 0.7 of 10 blocks is 7, not 7.000000000000001.
    private int FromRatio(double ratio)
    {
        if (!(ratio > 0 && ratio < 1))
            throw new PlanException($"Ratio {ratio} is not between 0 and 1. Give the share of blocks to remove, for example 0.2.");
        int count = (int)Math.Round((decimal)ratio * Blocks, MidpointRounding.ToEven);
        return count > 0
            ? count
            : throw new PlanException($"Ratio {ratio} of {Blocks} blocks is less than one block. Give a larger ratio, or a count.");
    }
}
