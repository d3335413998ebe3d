using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Samples;

/// <summary>A tokenised example: ids, and which of them are learned.</summary>
public sealed class TokenSample
{
    /// <summary>Creates a sample.</summary>
    /// <param name="ids">Token ids; not copied.</param>
    /// <param name="labels">Label of each id, <see cref="TrainingBatch.Ignored"/> = not learned. Null = every id is its own label. Not copied.</param>
    /// <param name="source">Where it comes from, for messages, for example "record 12".</param>
    /// <exception cref="TokenDataException">The numbers of ids and labels differ.</exception>
    public TokenSample(int[] ids, int[]? labels = null, string source = "")
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(source);
        if (labels is not null && labels.Length != ids.Length)
            throw new TokenDataException($"There are {labels.Length} labels for {ids.Length} ids{(source.Length > 0 ? $" ({source})" : "")}. Give one for each.");
        (Ids, Labels, Source) = (ids, labels ?? ids, source);
    }

    private TokenSample(ReadOnlyMemory<int> ids, ReadOnlyMemory<int> labels, string source) => (Ids, Labels, Source) = (ids, labels, source);

    /// <summary>Token ids.</summary>
    public ReadOnlyMemory<int> Ids { get; }

    /// <summary>Label of each id, not shifted: the label at t is predicted from t - 1.</summary>
    public ReadOnlyMemory<int> Labels { get; }

    /// <summary>Where it comes from.</summary>
    public string Source { get; }

    /// <summary>Number of ids.</summary>
    public int Length => Ids.Length;

    /// <summary>Labels that a loss is taken of: those not ignored, but for the first token, which nothing predicts.</summary>
    public int LearnedTokens
    {
        get
        {
            int count = 0;
            for (int i = 1; i < Labels.Length; i++)
                count += Labels.Span[i] != TrainingBatch.Ignored ? 1 : 0;
            return count;
        }
    }

    /// <summary>A part of the sample, without copying.</summary>
    /// <param name="start">First token.</param>
    /// <param name="length">Tokens.</param>
    /// <returns>The part.</returns>
    public TokenSample Slice(int start, int length) => new(Ids.Slice(start, length), Labels.Slice(start, length), Source);
}
