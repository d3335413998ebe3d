// Size and place of adapters.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Lora;

namespace LlmShearing.Cli.Options;

internal sealed class LoraFlags
{
    public Option<int?> Rank { get; } = Opt.Int("--rank", "R", "Rank of the updates.", 1, LoraOptions.ShortenedLlama.Rank, maximum: Limits.Rank);

    public Option<double?> Alpha { get; } = Opt.Number("--alpha", "A", "Updates are scaled by alpha / rank.", v => v > 0 && double.IsFinite(v), "a number above 0", LoraOptions.ShortenedLlama.Alpha);

    public Option<double?> Dropout { get; } = Opt.Number("--dropout", "P", "Share of an adapter's input that is dropped in training.", v => v is >= 0 and < 1, "a number from 0 to below 1", LoraOptions.ShortenedLlama.Dropout);

    public Option<bool> RsLora { get; } = Opt.Flag("--rslora", "Scale by alpha / sqrt(rank) instead.");

    public Option<string?> Targets { get; } = Opt.Text("--targets", "NAMES", "Projections that get an adapter: names such as q_proj,v_proj, a regular expression for whole module names after 'regex:', or all-linear. [default: all seven]");

    public Option<string[]> ModulesToSave { get; } = Opt.Texts("--train-in-full", "MODULE", "Module that is trained and saved in full, for example lm_head. May be repeated.");

    public Option[] All => [Rank, Alpha, Dropout, RsLora, Targets, ModulesToSave];

    public LoraOptions Read(Invocation run, int seed)
    {
        string? targets = run.Get(Targets);
        bool pattern = targets is LoraOptions.AllLinear || targets?.StartsWith("regex:", StringComparison.Ordinal) == true;
        return new LoraOptions
        {
            Rank = run.Get(Rank)!.Value,
            Alpha = run.Get(Alpha)!.Value,
            Dropout = run.Get(Dropout)!.Value,
            UseRsLora = run.Get(RsLora),
            TargetPattern = pattern ? targets!.Replace("regex:", "", StringComparison.Ordinal) : null,
            TargetModules = pattern || targets is null ? null : targets.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            ModulesToSave = run.Get(ModulesToSave) is { Length: > 0 } modules ? modules : null,
            Seed = seed,
        };
    }
}
