// How many blocks go, and which may.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Planning;

namespace LlmShearing.Cli.Options;

internal sealed class DepthOptions
{
    private static readonly BlockDepthOptions Paper = BlockDepthOptions.ShortenedLlama();

    public Option<int?> Remove { get; } = Opt.Int("--remove", "N", "Remove N blocks.", 0);

    public Option<double?> Ratio { get; } = Opt.Number("--ratio", "R", "Remove this share of the blocks, for example 0.2.", v => v is > 0 and < 1, "a number between 0 and 1");

    public Option<long?> TargetParameters { get; } = Opt.Long("--target-parameters", "P", "Remove blocks until at most P parameters are left.", 1);

    public Option<string?> RemoveLayers { get; } = Opt.Text("--remove-layers", "LIST", "Remove exactly these blocks, for example 3,7-9.");

    public Option<bool> Contiguous { get; } = Opt.Flag("--contiguous", "Remove neighbouring blocks only; needs a criterion that scores windows (angular).");

    public Option<bool> Iterative { get; } = Opt.Flag("--iterative", "Score again after each removal; needs a criterion that can leave blocks out (block-perplexity).");

    public Option<int?> ProtectFirst { get; } = Opt.Int("--protect-first", "A", "Blocks at the start that must stay.", 0, Paper.ProtectFirst);

    public Option<int?> ProtectLast { get; } = Opt.Int("--protect-last", "B", "Blocks at the end that must stay.", 0, Paper.ProtectLast);

    public Option[] All => [Remove, Ratio, TargetParameters, RemoveLayers, Contiguous, Iterative, ProtectFirst, ProtectLast];

    public bool IsGiven(Invocation run) =>
        run.Get(Remove) is not null || run.Get(Ratio) is not null || run.Get(TargetParameters) is not null || run.Get(RemoveLayers) is not null;

    /// <summary>Whether scores are needed at all: a list of blocks needs none.</summary>
    public bool NeedsScores(Invocation run) => run.Get(RemoveLayers) is null;

    public BlockDepthOptions Read(Invocation run)
    {
        int[]? blocks = run.Get(RemoveLayers) is { } list ? Blocks(list) : null;
        // Whoever names blocks means them: the default protection is for blocks that a criterion chooses.
        bool named = blocks is not null;
        return new BlockDepthOptions
        {
            Count = run.Get(Remove),
            Ratio = run.Get(Ratio),
            TargetParameters = run.Get(TargetParameters),
            Blocks = blocks,
            Contiguous = run.Get(Contiguous),
            ProtectFirst = named && !run.IsGiven(ProtectFirst) ? 0 : run.Get(ProtectFirst)!.Value,
            ProtectLast = named && !run.IsGiven(ProtectLast) ? 0 : run.Get(ProtectLast)!.Value,
        };
    }

    // In the order written, which is the order of removal that the plan records.
    private static int[] Blocks(string list)
    {
        try
        {
            return [.. list.Split(',', StringSplitOptions.TrimEntries).SelectMany(part => IndexSet.Parse(part).Indices)];
        }
        catch (PlanException e)
        {
            throw new UsageException($"--remove-layers: {e.Message}", e);
        }
    }
}
