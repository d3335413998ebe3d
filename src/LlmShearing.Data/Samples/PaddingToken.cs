using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Samples;

/// <summary>The id that fills up batches, and why it was chosen.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Reason">For logs, for example "the tokenizer has no pad token; its end token serves".</param>
public sealed record PaddingToken(int Id, string Reason)
{
    /// <summary>
    /// The tokenizer's pad token; without one its unknown token, without that its end token. Padding is masked and never learned, so no embedding row need be added: a pad token that
    /// the model has no row for is passed over.
    /// </summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="vocabularySize">Rows of the model's embedding; null = not known.</param>
    /// <returns>The choice.</returns>
    /// <exception cref="TokenDataException">The tokenizer has none of the three.</exception>
    public static PaddingToken Of(ITokenizer tokenizer, int? vocabularySize = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        int rows = vocabularySize ?? int.MaxValue;
        string why = tokenizer.PadTokenId is { } unusable ? $"the model has no row for the tokenizer's pad token {unusable}" : "the tokenizer has no pad token";
        return tokenizer switch
        {
            { PadTokenId: int pad } when pad < rows => new PaddingToken(pad, "the tokenizer's pad token"),
            { UnknownTokenId: int unknown } when unknown < rows => new PaddingToken(unknown, $"{why}; its unknown token serves"),
            { EosTokenId: int end } when end < rows => new PaddingToken(end, $"{why}; its end token serves"),
            _ => throw new TokenDataException("The tokenizer has no pad, unknown or end token. Choose an id for padding yourself; it is masked and never learned."),
        };
    }
}
