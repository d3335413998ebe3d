// How the domains of --data are mixed: shares at the start, and whether they follow the losses of evaluations (dynamic batch loading).
using System.CommandLine;
using System.Globalization;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Rows;
using LlmShearing.Training.Runs;

namespace LlmShearing.Cli.Options;

internal sealed class SamplerOptions
{
    public Option<string?> Sampler { get; } = Opt.Choice(
        "--sampler", "How domains take turns: evenly spread, drawn at random, or drawn at random in shares that follow reference losses at each evaluation. [default: fixed]",
        FixedDomainSampler.Name, RandomDomainSampler.Name, ReferenceLossSampler.Name);

    public Option<string?> Proportions { get; } = Opt.Text("--proportions", "A=0.7,B=0.3", "Share of each domain, at the start. [default: as many as each domain has rows]");

    public Option<string?> ProportionsFrom { get; } = Opt.Text("--proportions-from", "FOLDER", "Start with the shares that this run ended with, instead of --proportions.");

    public Option<string?> ReferenceLoss { get; } = Opt.Text("--reference-losses", "FILE", "Loss that each domain should reach, from 'shear reference-loss'.");

    public Option<string?> Update { get; } = Opt.Choice("--update", "How shares follow losses. [default: doremi]", "doremi", "bandit", "constant");

    public Option<double?> Eta { get; } = Opt.Number("--eta", "E", "Step size of --update. [default: 1]", v => v is >= 0 and <= 1000, "a number from 0 to 1000");

    public Option<double?> Smoothing { get; } = Opt.Number("--smoothing", "C", "Part of the mixture that each update spreads evenly. [default: 1e-4]", v => v is >= 0 and <= 1, "a number from 0 to 1");

    public Option<bool> Clip { get; } = Opt.Flag("--clip-differences", "Count domains below their reference as being at it, as the paper's algorithm does; its code does not.");

    public Option<double?> MaxChange { get; } = Opt.Number("--max-change", "D", "Largest change of a share at one evaluation. [default: no limit]", v => v is > 0 and <= 1, "a number above 0, at most 1");

    public Option<string?> MinimumShares { get; } = Opt.Text("--minimum-shares", "A=0.05,B=0.01", "Least share of some domains. [default: none]");

    public Option[] All => [Sampler, Proportions, ProportionsFrom, .. Rule];

    private Option[] Rule => [ReferenceLoss, Update, Eta, Smoothing, Clip, MaxChange, MinimumShares];

    /// <summary>The sampler for these domains. One that adapts needs a held-out set for each domain.</summary>
    public IDomainSampler Create(Invocation run, IReadOnlyList<ITokenRows> domains, int seed, IReadOnlyList<EvaluationSet> heldOut)
    {
        var start = new FixedDomainSamplerOptions { Seed = seed, Proportions = Shares(run, domains) };
        string name = run.Get(Sampler) ?? FixedDomainSampler.Name;
        if (name != ReferenceLossSampler.Name && Rule.FirstOrDefault(run.IsGiven) is { } stray)
            throw new UsageException($"{stray.Name} needs --sampler {ReferenceLossSampler.Name}.");
        return name switch
        {
            RandomDomainSampler.Name => new RandomDomainSampler(start),
            ReferenceLossSampler.Name => Adaptive(run, start, heldOut),
            _ => new FixedDomainSampler(start),
        };
    }

    private ReferenceLossSampler Adaptive(Invocation run, FixedDomainSamplerOptions start, IReadOnlyList<EvaluationSet> heldOut)
    {
        var options = new ReferenceLossOptions
        {
            Update = Enum.Parse<ProportionUpdate>(run.Get(Update) ?? nameof(ProportionUpdate.Doremi), ignoreCase: true),
            Eta = run.Get(Eta) ?? 1,
            Smoothing = run.Get(Smoothing) ?? ReferenceLossOptions.DefaultSmoothing,
            ClipDifferences = run.Get(Clip),
            MaxChange = run.Get(MaxChange),
            MinimumShares = run.Get(MinimumShares) is { } text ? ByName(MinimumShares.Name, text) : [],
        };
        if (run.Get(ReferenceLoss) is { } file)
            options.Losses = new Dictionary<string, double>(ReferenceLosses.Load(file), StringComparer.Ordinal);
        else if (options.Update != ProportionUpdate.Constant)
            throw new UsageException($"--sampler {ReferenceLossSampler.Name} needs --reference-losses. Measure them on the model before pruning: shear reference-loss MODEL --data FOLDER --out FILE.");
        var sampler = new ReferenceLossSampler(start, options);
        if (!sampler.Adapts)
            return sampler;
        string[] sets = [.. heldOut.Select(s => s.Name).Order(StringComparer.Ordinal)];
        return sets.SequenceEqual(sampler.Domains, StringComparer.Ordinal)
            ? sampler
            : throw new UsageException($"Shares that follow losses need --held-out with exactly the domains of --data ({string.Join(", ", sampler.Domains)}); {(sets.Length == 0 ? "none was given" : $"it has {string.Join(", ", sets)}")}.");
    }

    private Dictionary<string, double> Shares(Invocation run, IReadOnlyList<ITokenRows> domains)
    {
        string? text = run.Get(Proportions), folder = run.Get(ProportionsFrom);
        if (text is not null && folder is not null)
            throw new UsageException("Give only one of --proportions and --proportions-from.");
        if (text is not null)
            return ByName(Proportions.Name, text);
        if (folder is not null)
        {
            IReadOnlyDictionary<string, double> last = TrainingCheckpoint.Last(folder).Proportions
                ?? throw new UsageException($"The run in '{folder}' has no domains, or an older version made it. Give --proportions.");
            return new Dictionary<string, double>(last, StringComparer.Ordinal);
        }

        double all = domains.Sum(d => (double)d.Count);
        return all > 0 ? domains.ToDictionary(d => d.Name, d => d.Count / all, StringComparer.Ordinal) : throw new UsageException("The data have no rows.");
    }

    private static Dictionary<string, double> ByName(string option, string text)
    {
        var shares = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || !double.TryParse(pair[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double share))
                throw new UsageException($"{option}: '{part}' is not NAME=SHARE, for example wiki=0.2.");
            if (!shares.TryAdd(pair[0], share))
                throw new UsageException($"{option} names '{pair[0]}' twice.");
        }

        return shares;
    }
}
