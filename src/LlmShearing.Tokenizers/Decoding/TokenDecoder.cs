namespace LlmShearing.Tokenizers.Decoding;

/// <summary>One step from token strings back to text. Steps are immutable and shared by threads.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Rewrites the list of strings in place.</summary>
    public abstract void Apply(List<string> tokens);
}
