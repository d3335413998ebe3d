using LlmShearing.Data.Samples;

namespace LlmShearing.Data.Instructions;

/// <summary>Tokenised instruction data.</summary>
/// <param name="Samples">Samples with something to learn, in the order of their records.</param>
/// <param name="Records">Records read.</param>
/// <param name="NothingLearned">Records left out because no token of them is learned (an empty conversation, a prompt that fills the whole sample).</param>
/// <param name="TooLong">Records left out because they are too long.</param>
/// <param name="Truncated">Records with more tokens than fit, left out or not.</param>
public sealed record InstructionSamples(IReadOnlyList<TokenSample> Samples, long Records, long NothingLearned, long TooLong, long Truncated)
{
    /// <summary>Records of which the template does not write every message, such as an answer before the first question.</summary>
    public long MessagesLeftOut { get; init; }

    /// <summary>Tokens of all samples.</summary>
    public long Tokens => Samples.Sum(s => (long)s.Length);

    /// <summary>Tokens that are learned.</summary>
    public long LearnedTokens => Samples.Sum(s => (long)s.LearnedTokens);
}
