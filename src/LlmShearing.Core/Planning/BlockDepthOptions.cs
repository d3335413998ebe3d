using System.ComponentModel.DataAnnotations;
using LlmShearing.Shapes;

namespace LlmShearing.Planning;

/// <summary>How many blocks to remove, and which may go. Exactly one amount (count, ratio, target parameters or blocks) is given where a plan is made from options.</summary>
public sealed class BlockDepthOptions : IValidatableObject
{
    /// <summary>Number of blocks to remove.</summary>
    /// <value>Default: null, not given.</value>
    [Range(0, ShapeRules.MaxLayers)]
    public int? Count { get; set; }

    /// <summary>
    /// Share of the blocks to remove, in (0, 1); the count is the nearest whole number, halves to even (0.2 of 32 blocks: 6.4, so 6).
    /// Embeddings are not counted: 0.2 of the blocks is less than 0.2 of the parameters.
    /// </summary>
    /// <value>Default: null, not given.</value>
    [Range(0.0, 1.0)]
    public double? Ratio { get; set; }

    /// <summary>Remove blocks, least important first, until the model has at most this many parameters.</summary>
    /// <value>Default: null, not given.</value>
    [Range(1, long.MaxValue)]
    public long? TargetParameters { get; set; }

    /// <summary>Remove exactly these blocks (0-based), whatever their scores.</summary>
    /// <value>Default: null, not given.</value>
    public IList<int>? Blocks { get; set; }

    /// <summary>Blocks at the start that must stay.</summary>
    /// <value>Default: 0.</value>
    [Range(0, ShapeRules.MaxLayers)]
    public int ProtectFirst { get; set; }

    /// <summary>Blocks at the end that must stay.</summary>
    /// <value>Default: 0.</value>
    [Range(0, ShapeRules.MaxLayers)]
    public int ProtectLast { get; set; }

    /// <summary>Remove neighbouring blocks only: the window with the smallest score among <see cref="ImportanceScores.BlockWindows"/> (Gromov et al.).</summary>
    /// <value>Default: false.</value>
    public bool Contiguous { get; set; }

    /// <summary>Fresh options that protect as the "+" of Shortened LLaMA does: the first 4 and the last 2 blocks stay.</summary>
    /// <returns>Options without an amount.</returns>
    public static BlockDepthOptions ShortenedLlama() => new() { ProtectFirst = 4, ProtectLast = 2 };

    /// <summary>Checks what one property alone cannot say. Called by options validation.</summary>
    /// <param name="validationContext">Not used.</param>
    /// <returns>One result for each contradiction.</returns>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        string[] amounts = Amounts();
        if (amounts.Length > 1)
            yield return new ValidationResult($"{string.Join(" and ", amounts)} are both given. Give one of Count, Ratio, TargetParameters and Blocks.", amounts);
        if (Contiguous && Blocks is not null)
            yield return new ValidationResult("Contiguous chooses a window by score, but Blocks names the blocks. Give one of them.", [nameof(Contiguous), nameof(Blocks)]);
    }

    /// <summary>Names of the amounts that are given.</summary>
    internal string[] Amounts() =>
    [
        .. new[]
        {
            Count is null ? null : nameof(Count),
            Ratio is null ? null : nameof(Ratio),
            TargetParameters is null ? null : nameof(TargetParameters),
            Blocks is null ? null : nameof(Blocks),
        }.OfType<string>(),
    ];

    internal BlockDepthOptions Copy() => (BlockDepthOptions)MemberwiseClone();
}
