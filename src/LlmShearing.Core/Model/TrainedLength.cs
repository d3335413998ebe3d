// Whether a sequence reaches beyond the positions that a model was made for: it computes, but nothing says that the numbers mean anything.
namespace LlmShearing.Model;

/// <summary>What to say when a text is longer than those that a model was trained on.</summary>
public static class TrainedLength
{
    /// <summary>The warning for sequences of a length; null when they fit.</summary>
    /// <param name="config">Configuration of the model.</param>
    /// <param name="length">Tokens of the longest sequence.</param>
    /// <param name="what">What is so long, as the beginning of a sentence.</param>
    public static string? Problem(LlamaConfig config, long length, string what)
    {
        // These two stretch the context that max_position_embeddings states; llama3 states the stretched one.
        double factor = config.RopeScaling.Type is RopeType.Linear or RopeType.Dynamic ? config.RopeScaling.Factor : 1;
        string scaled = factor == 1 ? "" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $" times the factor {factor:0.###} of its rotary scaling");
        return length <= config.MaxPositionEmbeddings * factor
            ? null
            : $"{what} of {length} tokens reach beyond the {config.MaxPositionEmbeddings} positions (max_position_embeddings){scaled} that the model was made for: results get worse there. Use shorter ones.";
    }
}
