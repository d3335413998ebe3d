// A perplexity without its protocol cannot be compared with another one. So the protocol is data, and travels with the result.
namespace LlmShearing.Evaluation;

/// <summary>How text becomes windows and window losses become a perplexity. Equality compares every rule.</summary>
public sealed record PerplexityProtocol
{
    private static readonly PerplexityProtocol[] Presets =
    [
        new() { Name = "documents", JoinText = null, WindowLength = 2048, Tail = TailRule.Keep, ShortSequences = ShortSequenceRule.Skip },
        new() { Name = "rows", JoinText = null, WindowLength = null, Tail = TailRule.Keep },
        new() { Name = "llm-pruner", WindowLength = 128 },
        new() { Name = "shortened-llama", WindowLength = 128, AddSpecialTokens = false, Bos = BosMode.Start },
        new() { Name = "shortened-llama-bos", WindowLength = 128, AddSpecialTokens = false, Bos = BosMode.EveryWindow },
        new() { Name = "flap", WindowLength = 128, Aggregation = PerplexityAggregation.WindowMean },
        new() { Name = "strided", WindowLength = 1024, Stride = 512, Tail = TailRule.Keep, Aggregation = PerplexityAggregation.LabelWeighted },
    ];

    /// <summary>Names of the presets.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Presets.Select(p => p.Name)];

    /// <summary>Each document on its own, cut into windows of 2048 tokens, every token but the first of a window scored. The default.</summary>
    public static PerplexityProtocol Documents => Presets[0];

    /// <summary>Each row of ids is one window, whatever its length; all tokens but the first are scored.</summary>
    public static PerplexityProtocol Rows => Presets[1];

    /// <summary>Name, for reports; "custom" for one made by hand.</summary>
    public string Name { get; init; } = "custom";

    /// <summary>
    /// Text between documents, which are tokenised in one call and form one stream; null = every document is tokenised and windowed on its own.
    /// Whoever tokenises applies it; of rows of ids given directly, null keeps the rows apart and anything else joins them end to end.
    /// </summary>
    public string? JoinText { get; init; } = "\n\n";

    /// <summary>Whether the tokenizer adds its own special tokens (one call, so once per stream or document). Default true.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>Tokens of a window, before a BOS that is put in front of every window; null = the whole sequence.</summary>
    public int? WindowLength { get; init; } = 2048;

    /// <summary>Tokens from the start of one window to the next; null = the window length, that is, no overlap.</summary>
    public int? Stride { get; init; }

    /// <summary>Where a BOS is put, beside what the tokenizer adds. Default none.</summary>
    public BosMode Bos { get; init; }

    /// <summary>What happens to an incomplete last window. Default dropped.</summary>
    public TailRule Tail { get; init; }

    /// <summary>What happens to sequences without a token to score. Default refused.</summary>
    public ShortSequenceRule ShortSequences { get; init; }

    /// <summary>How the losses become one number. Default token mean.</summary>
    public PerplexityAggregation Aggregation { get; init; }

    /// <summary>Number of windows used at most, from the first; null = all.</summary>
    public int? MaxWindows { get; init; }

    /// <summary>
    /// A protocol by name: documents, rows, llm-pruner (LLMPruner/evaluator/ppl.py), shortened-llama and shortened-llama-bos
    /// (src/eval_ppl.py), flap (lib/eval.py), strided (transformers documentation).
    /// </summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="windowLength">Tokens of a window; null = the preset's.</param>
    /// <param name="stride">Tokens between window starts; null = the preset's, in the same proportion to the window.</param>
    /// <returns>The protocol.</returns>
    /// <exception cref="ArgumentException">The name is not known, or the lengths do not fit.</exception>
    public static PerplexityProtocol Preset(string name, int? windowLength = null, int? stride = null)
    {
        PerplexityProtocol preset = Presets.FirstOrDefault(p => p.Name == name)
            ?? throw new ArgumentException($"No perplexity protocol is called '{name}'. Known: {string.Join(", ", Names)}.", nameof(name));
        if (windowLength is null && stride is null)
            return preset;
        int? length = windowLength ?? preset.WindowLength;
        int? step = stride ?? (preset.Stride is { } s && length is { } n ? Math.Max(1, (int)((long)s * n / preset.WindowLength!.Value)) : null);
        PerplexityProtocol changed = preset with { WindowLength = length, Stride = step };
        changed.Validate();
        return changed;
    }

    /// <summary>Refuses rules that contradict each other.</summary>
    /// <exception cref="ArgumentException">A length, stride or limit is out of range.</exception>
    public void Validate()
    {
        int shortest = Bos == BosMode.EveryWindow ? 1 : 2;
        if (WindowLength < shortest)
            throw new ArgumentException($"A window of {WindowLength} tokens has nothing to score. Use at least {shortest}.");
        if (Stride is { } stride && (WindowLength is not { } length || stride < 1 || stride > length))
            throw new ArgumentException($"A stride of {Stride} does not fit a window of {WindowLength?.ToString() ?? "any"} tokens. Use 1 to the window length.");
        if (MaxWindows < 1)
            throw new ArgumentException($"MaxWindows is {MaxWindows}. Use at least 1, or null for all.");
    }
}
