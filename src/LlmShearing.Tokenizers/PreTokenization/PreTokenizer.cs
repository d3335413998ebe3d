namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>One step that splits (and perhaps rewrites) a piece of text. Steps are immutable and shared by threads.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Splits a piece and passes the parts on, in order.</summary>
    /// <param name="text">The piece, not empty.</param>
    /// <param name="atStart">The piece begins where the whole text begins.</param>
    /// <param name="step">Index of this step, to pass on.</param>
    /// <param name="flow">Takes the parts to the next step.</param>
    public abstract void Split(ReadOnlySpan<char> text, bool atStart, int step, PieceFlow flow);
}
