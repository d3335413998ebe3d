// Depth pruning: whole blocks go, least important first (Shortened LLaMA), or one window of neighbours (Gromov et al.).
using System.Collections.Immutable;
using LlmShearing.Shapes;
using LlmShearing.Support;

namespace LlmShearing.Planning;

/// <summary>
/// Removes whole blocks in ascending order of score, scored once (Shortened LLaMA, section 3). Ties go to the lower index; infinite scores rank last.
/// Asking for more than may go is an error; nothing is dropped silently. The order of removal is recorded in the plan's provenance.
/// </summary>
/// <remarks>
/// With <see cref="BlockDepthOptions.Contiguous"/> the window comes from <see cref="ImportanceScores.BlockWindows"/>, which the criterion must offer:
/// sums of block scores are no substitute, since a window's effect is not the sum of its blocks' effects.
/// </remarks>
public sealed class BlockDepthStrategy : IPruningStrategy
{
    /// <summary>Name under which the strategy is registered and recorded.</summary>
    public const string Name = "block-depth";

    private readonly BlockDepthOptions _options;

    /// <summary>Creates the strategy.</summary>
    /// <param name="options">Protection, window mode and, for <see cref="CreatePlan(ImportanceScores)"/>, the amount; null = nothing protected. Copied.</param>
    public BlockDepthStrategy(BlockDepthOptions? options = null) => _options = options?.Copy() ?? new BlockDepthOptions();

    /// <summary>Block scores; with windows, too, because scorers answer with both.</summary>
    public PruningAxes RequiredAxes => PruningAxes.Layers;

    /// <summary>Removes as many blocks as <paramref name="target"/> has fewer than the source; amounts in the options are not used.</summary>
    /// <param name="target">A shape that differs from the source only in blocks.</param>
    /// <param name="scores">Block scores.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="PlanException">The target differs in another dimension, has more blocks, or fewer than protection allows.</exception>
    /// <exception cref="ScoringException">There are no block scores, or no windows where they are needed.</exception>
    public PruningPlan CreatePlan(LlamaShape target, ImportanceScores scores)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(scores);
        int blocks = scores.Source.Layers.Length;
        if (target.Layers.Length > blocks)
            throw new PlanException($"The target has {target.Layers.Length} blocks, the source only {blocks}. Pruning cannot add blocks.");
        BlockDepthOptions options = _options.Copy();
        (options.Count, options.Ratio, options.TargetParameters, options.Blocks) = (blocks - target.Layers.Length, null, null, null);
        PruningPlan plan = CreatePlan(scores, options);
        return ShapeRules.Difference(expected: target, found: plan.Target) is string difference
            ? throw new PlanException($"{Name} removes whole blocks and changes nothing else, so it cannot reach the target: {difference}. Use {TargetedWidthStrategy.Name} for widths, or give the number of blocks instead of a shape.")
            : plan;
    }

    /// <summary>Removes the amount that the options give.</summary>
    /// <param name="scores">Block scores.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="PlanException">Not exactly one amount is given, or more should go than may; the message says how many may.</exception>
    /// <exception cref="ScoringException">There are no block scores, or no windows where they are needed.</exception>
    public PruningPlan CreatePlan(ImportanceScores scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return CreatePlan(scores, _options);
    }

    private static PruningPlan CreatePlan(ImportanceScores scores, BlockDepthOptions options)
    {
        PruningPlan plan = PruningPlan.RemoveBlocks(scores.Source, Choose(scores, options));
        return plan with { Provenance = plan.Provenance! with { Scorer = scores.Scorer, Strategy = Name, Library = LibraryVersion.Text } };
    }

    private static int[] Choose(ImportanceScores scores, BlockDepthOptions options)
    {
        var budget = new DepthBudget(options, scores.Source);
        int? count = budget.Count();
        if (options.Blocks is not null)
            return options.Contiguous
                ? throw new PlanException("Contiguous chooses a window by score, but Blocks names the blocks. Give one of them.")
                : budget.Listed();
        return options.Contiguous ? ChooseWindow(scores, options, budget, count) : ChooseSingly(scores, options, budget, count);
    }

    private static int[] ChooseSingly(ImportanceScores scores, BlockDepthOptions options, DepthBudget budget, int? count)
    {
        int[] order = [.. scores.LayerOrder().Where(block => !budget.IsProtected(block)).Take(budget.MayGo)];
        if (count is int n)
            return order[..n];
        long target = options.TargetParameters!.Value;
        for (n = 0; n <= order.Length; n++)
            if (budget.Meets(target, order[..n]))
                return order[..n];
        throw budget.TooSmall(target, budget.ParametersWithout(order));
    }

    private static int[] ChooseWindow(ImportanceScores scores, BlockDepthOptions options, DepthBudget budget, int? count)
    {
        if (scores.BlockWindows.IsDefault)
            throw new ScoringException($"The scores of '{scores.Scorer}' have no block windows. Use a criterion that scores windows, such as angular, or switch Contiguous off.");
        if (count is int n)
            return Window(scores, budget, n) ?? throw NoWindow(scores, n);
        long target = options.TargetParameters!.Value;
        long smallest = budget.ParametersWithout([]);
        for (n = 0; n <= budget.MayGo; n++)
        {
            if (Window(scores, budget, n) is not int[] window)
                continue;
            smallest = Math.Min(smallest, budget.ParametersWithout(window));
            if (budget.Meets(target, window))
                return window;
        }

        throw budget.TooSmall(target, smallest);
    }

    // The best window of n blocks: smallest score, first wins; null when the criterion offers none that may go.
    private static int[]? Window(ImportanceScores scores, DepthBudget budget, int n)
    {
        if (n == 0)
            return [];
        int blocks = scores.Source.Layers.Length;
        if (n > scores.BlockWindows.Length)
            return null;
        ImmutableArray<double> starts = scores.BlockWindows[n - 1];
        if (starts.Length != blocks - n + 1)
            throw new ScoringException($"The scores of '{scores.Scorer}' have {starts.Length} windows of {n} blocks; a model of {blocks} blocks has {blocks - n + 1}.");
        int best = -1;
        for (int start = 0; start < starts.Length; start++)
        {
            if (double.IsNaN(starts[start]) || budget.IsProtected(start) || budget.IsProtected(start + n - 1))
                continue;
            if (best < 0 || starts[start] < starts[best])
                best = start;
        }

        return best < 0 ? null : [.. Enumerable.Range(best, n)];
    }

    private static PlanException NoWindow(ImportanceScores scores, int n) =>
        new($"The criterion '{scores.Scorer}' offers no window of {n} of {scores.Source.Layers.Length} blocks that may go. Remove fewer blocks, protect fewer, or switch Contiguous off.");
}
