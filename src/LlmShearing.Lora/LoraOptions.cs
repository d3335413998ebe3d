// What an adapter is made of: which projections, how large, how initialised. Names and meaning are those of PEFT's adapter_config.json.
using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace LlmShearing.Lora;

/// <summary>How the factors A and B of a new adapter begin. B is zero in both, so that the model computes the same as before.</summary>
public enum LoraInit
{
    /// <summary>A from U(-1/√in, 1/√in): Kaiming uniform with a = √5, as a linear layer begins (Hu et al.; PEFT's default).</summary>
    Kaiming,

    /// <summary>A from N(0, 1/r²): PEFT's "gaussian".</summary>
    Gaussian,
}

/// <summary>Size and place of low-rank adapters (Hu et al., "LoRA"): W x becomes W x + s · B A x. Defaults are those of the recovery of Shortened LLaMA and LLM-Pruner.</summary>
public sealed record LoraOptions
{
    /// <summary>Stands for every projection of the blocks in <see cref="TargetPattern"/>.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>The adapters of Shortened LLaMA's and LLM-Pruner's recovery: r 8, alpha 16, dropout 0.05, all seven projections.
    /// <see cref="LoraRecipe.ShortenedLlama"/> has the settings of its optimizer.</summary>
    public static LoraOptions ShortenedLlama => new();

    /// <summary>Rank r of the update B·A.</summary>
    /// <value>Default: 8.</value>
    [Range(1, 65536)]
    public int Rank { get; set; } = 8;

    /// <summary>The update is scaled by alpha / r.</summary>
    /// <value>Default: 16.</value>
    [Range(double.Epsilon, 1e9)]
    public double Alpha { get; set; } = 16;

    /// <summary>Share of the adapter's input that is dropped in training, in [0, 1).</summary>
    /// <value>Default: 0.05.</value>
    [Range(0.0, 0.999999)]
    public double Dropout { get; set; } = 0.05;

    /// <summary>Whether the update is scaled by alpha / √r instead (Kalajdzievski, "rank-stabilised LoRA").</summary>
    /// <value>Default: false.</value>
    public bool UseRsLora { get; set; }

    /// <summary>Modules that get an adapter, each a name such as "q_proj" or the end of one after a dot. Null and no <see cref="TargetPattern"/>: all projections of the blocks.</summary>
    /// <value>Default: null.</value>
    public IReadOnlyList<string>? TargetModules { get; set; }

    /// <summary>Instead of names: a regular expression for whole module names such as "model.layers.0.self_attn.q_proj", or "all-linear".</summary>
    /// <value>Default: null.</value>
    public string? TargetPattern { get; set; }

    /// <summary>Modules that get none whatever the targets say; names as in <see cref="TargetModules"/>.</summary>
    /// <value>Default: null.</value>
    public IReadOnlyList<string>? ExcludeModules { get; set; }

    /// <summary>The same as a regular expression for whole module names.</summary>
    /// <value>Default: null.</value>
    public string? ExcludePattern { get; set; }

    /// <summary>0-based blocks that get adapters; not together with a regular expression in <see cref="TargetPattern"/>. Null = all.</summary>
    /// <value>Default: null.</value>
    public IReadOnlyList<int>? LayersToTransform { get; set; }

    /// <summary>Names of the list of blocks in module names, for <see cref="LayersToTransform"/>; "layers" in this family. Null = any.</summary>
    /// <value>Default: null.</value>
    public IReadOnlyList<string>? LayersPattern { get; set; }

    /// <summary>Other ranks for some modules. A key is a regular expression for a module name or its end after a dot; the first match in ordinal order of the keys wins,
    /// since PEFT saves them sorted.</summary>
    /// <value>Default: empty.</value>
    public IReadOnlyDictionary<string, int> RankPattern { get; set; } = new Dictionary<string, int>();

    /// <summary>Other alphas for some modules; keys as in <see cref="RankPattern"/>.</summary>
    /// <value>Default: empty.</value>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; set; } = new Dictionary<string, double>();

    /// <summary>Modules that are trained and saved in full, by the end of their names: "lm_head", "embed_tokens", "norm", "input_layernorm". They get no adapter.</summary>
    /// <value>Default: null.</value>
    public IReadOnlyList<string>? ModulesToSave { get; set; }

    /// <summary>How the factors of new adapters begin.</summary>
    /// <value>Default: Kaiming uniform.</value>
    public LoraInit Init { get; set; }

    /// <summary>Root of the randomness of initialisation. Dropout derives from the seed of the training run.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; set; }

    /// <summary>What a saved adapter calls its base model; null = the model's name.</summary>
    /// <value>Default: null.</value>
    public string? BaseModel { get; set; }

    /// <summary>Everything that is wrong with these options, in words; empty when nothing is.</summary>
    internal IReadOnlyList<string> Problems()
    {
        var annotations = new List<ValidationResult>();
        Validator.TryValidateObject(this, new ValidationContext(this), annotations, validateAllProperties: true);
        List<string> problems = [.. annotations.Select(a => a.ErrorMessage!)];
        if (TargetModules is not null && TargetPattern is not null)
            problems.Add("TargetModules and TargetPattern are both given. Give one of them.");
        if (TargetModules is { Count: 0 })
            problems.Add("TargetModules is empty. Name at least one module, or leave it out for all projections.");
        if (ExcludeModules is { Count: > 0 } && ExcludePattern is not null)
            problems.Add("ExcludeModules and ExcludePattern are both given. Give one of them.");
        if (LayersToTransform is { Count: > 0 } && TargetPattern is not null and not AllLinear)
            problems.Add("LayersToTransform cannot be combined with a regular expression in TargetPattern. Name the blocks in the expression.");
        foreach ((string key, int rank) in RankPattern)
            if (rank is < 1 or > 65536)
                problems.Add($"RankPattern['{key}'] is {rank}; a rank is from 1 to 65536.");
        foreach ((string key, double alpha) in AlphaPattern)
            if (!(alpha > 0) || !double.IsFinite(alpha))
                problems.Add($"AlphaPattern['{key}'] is {alpha}; an alpha is a finite number above 0.");
        foreach (string pattern in new[] { TargetPattern == AllLinear ? null : TargetPattern, ExcludePattern }.OfType<string>().Concat(RankPattern.Keys).Concat(AlphaPattern.Keys).Concat(LayersPattern ?? []))
            if (RegexProblem(pattern) is { } problem)
                problems.Add($"'{pattern}' is not a regular expression: {problem}");
        return problems;
    }

    private static string? RegexProblem(string pattern)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.CultureInvariant);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }
}
