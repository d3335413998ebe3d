// What an adapter consists of for a given model shape: decided from names and sizes alone, so that folders and resident models share it.
using System.Collections.Immutable;
using System.Text.RegularExpressions;
using LlmShearing.Checkpoints;

namespace LlmShearing.Lora;

/// <summary>One adapted projection.</summary>
/// <param name="Weight">The projection's weight [out, in].</param>
/// <param name="Rank">r.</param>
/// <param name="Alpha">alpha.</param>
/// <param name="Scale">s in W + s·B·A.</param>
internal sealed record LoraTarget(LlamaTensor Weight, int Rank, double Alpha, double Scale)
{
    public string Module { get; } = LoraLayout.ModuleOf(Weight.Name);

    public string KeyA => $"{LoraLayout.Prefix}{Module}.lora_A.weight";

    public string KeyB => $"{LoraLayout.Prefix}{Module}.lora_B.weight";

    public ImmutableArray<long> ShapeA => [Rank, Weight.Shape[1]];

    public ImmutableArray<long> ShapeB => [Weight.Shape[0], Rank];
}

internal sealed record LoraLayout(ImmutableArray<LoraTarget> Targets, ImmutableArray<LlamaTensor> Saved)
{
    /// <summary>What PEFT puts before the module names of the base model.</summary>
    public const string Prefix = "base_model.model.";

    private static readonly string[] Tied = ["lm_head", "model.embed_tokens"];

    /// <summary>Weights that come with the adapter in full though nobody trains them: PEFT saves the embeddings when the vocabulary was resized.</summary>
    public ImmutableArray<LlamaTensor> Replaced { get; init; } = [];

    /// <summary>All weights that the adapter holds in full.</summary>
    public IEnumerable<LlamaTensor> Full => Saved.Concat(Replaced);

    /// <summary>The key under which a tensor that is saved in full is stored.</summary>
    public static string KeyOf(LlamaTensor saved) => Prefix + saved.Name;

    public static string ModuleOf(string tensor) => tensor[..tensor.LastIndexOf('.')];

    /// <summary>Lays out the adapter that options ask for.</summary>
    /// <param name="options">Options.</param>
    /// <param name="shape">Shape of the model.</param>
    /// <param name="strict">Whether every name in the options must mean something; PEFT only asks that some target is found.</param>
    /// <exception cref="LoraException">An option is out of range, or names what the model does not have or this library cannot adapt.</exception>
    public static LoraLayout Create(LoraOptions options, LlamaShape shape, bool strict)
    {
        IReadOnlyList<string> problems = options.Problems();
        if (problems.Count > 0)
            throw new LoraException(string.Join(" ", problems));
        try
        {
            LlamaTensor[] tensors = [.. LlamaTensorNames.Enumerate(shape)];
            var matcher = new ModuleMatcher(options);
            RefuseTied(options, shape, matcher);
            var targets = ImmutableArray.CreateBuilder<LoraTarget>();
            foreach (LlamaTensor tensor in tensors.Where(t => !t.IsBias))
            {
                string module = ModuleOf(tensor.Name);
                if (!IsProjection(tensor) && matcher.IsAllLinear)
                    continue;
                if (!matcher.IsTarget(module))
                    continue;
                if (!IsProjection(tensor))
                    throw new LoraException($"The targets include '{module}', but adapters go on the projections of blocks only. Take it out of the targets; to train it in full, name it in ModulesToSave.");
                (int rank, double alpha) = (matcher.RankOf(module), matcher.AlphaOf(module));
                targets.Add(new LoraTarget(tensor, rank, alpha, options.UseRsLora ? alpha / Math.Sqrt(rank) : alpha / rank));
            }

            ImmutableArray<LlamaTensor> saved = [.. tensors.Where(t => matcher.IsSaved(ModuleOf(t.Name)))];
            if (targets.Count == 0)
                throw new LoraException($"No projection of the model is a target ({Describe(options)}). Names are those of Hugging Face, for example q_proj.");
            if (strict)
                RefuseUnknownNames(options, tensors);
            return new LoraLayout(targets.ToImmutable(), saved);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new LoraException($"The expression '{e.Pattern}' takes too long to match module names. Simplify it.", e);
        }
    }

    private static bool IsProjection(LlamaTensor tensor) => tensor.Part is >= LlamaPart.Query and <= LlamaPart.Down;

    // Two modules share one weight there; PEFT trains a copy for one of them, which a tied checkpoint cannot hold.
    private static void RefuseTied(LoraOptions options, LlamaShape shape, ModuleMatcher matcher)
    {
        if (!shape.TiedEmbeddings)
            return;
        string? saved = Tied.FirstOrDefault(matcher.IsSaved);
        if (saved is not null)
            throw new LoraException($"ModulesToSave includes '{saved}', which this model ties to its {(saved == "lm_head" ? "embedding" : "output projection")}. Training one of the two in full is not supported; take it out.");
        if (options.TargetModules?.Contains("lm_head") == true)
            throw new LoraException("The targets include 'lm_head', but adapters go on the projections of blocks only. Take it out of the targets.");
    }

    private static void RefuseUnknownNames(LoraOptions options, LlamaTensor[] tensors)
    {
        string[] modules = [.. tensors.Select(t => ModuleOf(t.Name)).Distinct()];
        foreach ((string option, string name, bool known) in
            (options.TargetModules ?? []).Select(n => (nameof(options.TargetModules), n, modules.Any(m => ModuleMatcher.NamesModule(n, m))))
            .Concat((options.ModulesToSave ?? []).Select(n => (nameof(options.ModulesToSave), n, modules.Any(m => ModuleMatcher.SavesModule(n, m))))))
            if (!known)
                throw new LoraException($"{option} names '{name}', which is not in the model. Correct the name or take it out; its modules end in {string.Join(", ", modules.Select(m => m[(m.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal))}.");
    }

    private static string Describe(LoraOptions options) =>
        options.TargetModules is { } names ? "names " + string.Join(", ", names) : options.TargetPattern is { } pattern ? $"expression '{pattern}'" : "all projections";
}
