// Which modules the options mean (PEFT, tuners/tuners_utils.py and lora/model.py: names by suffix, expressions in full, patterns by suffix).
using System.Text.RegularExpressions;

namespace LlmShearing.Lora;

internal sealed class ModuleMatcher
{
    // Expressions come with downloaded adapters; one that explodes must not hang the process.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    private readonly LoraOptions _options;
    private readonly Regex? _target, _exclude;
    private readonly Regex[] _layers;
    private readonly (Regex Key, int Rank)[] _ranks;
    private readonly (Regex Key, double Alpha)[] _alphas;

    public ModuleMatcher(LoraOptions options)
    {
        _options = options;
        _target = options.TargetPattern is null or LoraOptions.AllLinear ? null : Whole(options.TargetPattern);
        _exclude = options.ExcludePattern is null ? null : Whole(options.ExcludePattern);
        _layers = options.LayersPattern is { Count: > 0 } patterns
            ? [.. patterns.Select(p => Make($@"\A.*\.{p}\.([0-9]+)\."))]
            : [Make(@"\A.*\.[^.]*\.([0-9]+)\.")];
        _ranks = [.. options.RankPattern.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => (Suffix(e.Key), e.Value))];
        _alphas = [.. options.AlphaPattern.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => (Suffix(e.Key), e.Value))];
    }

    /// <summary>Whether targets are given by what they are, every projection of the blocks, and not by name.</summary>
    public bool IsAllLinear => _options.TargetModules is null && _target is null;

    /// <summary>Whether a module is to get an adapter. Modules saved in full never do.</summary>
    public bool IsTarget(string module) =>
        !IsExcluded(module) && !IsSaved(module)
        && (IsAllLinear || (_target is not null ? _target.IsMatch(module) : _options.TargetModules!.Any(t => NamesModule(t, module))))
        && IsInLayers(module);

    /// <summary>Whether a module is trained and saved in full.</summary>
    public bool IsSaved(string module) => _options.ModulesToSave?.Any(m => SavesModule(m, module)) == true;

    public int RankOf(string module) => FirstOrDefault(_ranks, module, _options.Rank);

    public double AlphaOf(string module) => FirstOrDefault(_alphas, module, _options.Alpha);

    public static bool NamesModule(string name, string module) =>
        module == name || (module.EndsWith(name, StringComparison.Ordinal) && module.Length > name.Length && module[^(name.Length + 1)] == '.');

    // PEFT compares ends without asking for a dot here: "norm" also means "input_layernorm".
    public static bool SavesModule(string name, string module) => module.EndsWith(name, StringComparison.Ordinal);

    private bool IsExcluded(string module) =>
        _exclude?.IsMatch(module) == true || _options.ExcludeModules?.Any(e => NamesModule(e, module)) == true;

    private bool IsInLayers(string module)
    {
        if (_options.LayersToTransform is not { Count: > 0 } wanted)
            return true;
        Match? match = _layers.Select(l => l.Match(module)).FirstOrDefault(m => m.Success);
        return match is not null && int.TryParse(match.Groups[1].ValueSpan, out int layer) && wanted.Contains(layer);
    }

    private static T FirstOrDefault<T>((Regex Key, T Value)[] patterns, string module, T otherwise)
    {
        foreach ((Regex key, T value) in patterns)
            if (key.IsMatch(module))
                return value;
        return otherwise;
    }

    private static Regex Whole(string pattern) => Make($@"\A(?:{pattern})\z");

    private static Regex Suffix(string key) => Make($@"\A(?:.*\.)?(?:{key})\z");

    private static Regex Make(string pattern) => new(pattern, RegexOptions.CultureInvariant, Timeout);
}
