namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>Finds the matches of a splitting pattern, one after the other.</summary>
internal abstract class PieceScanner
{
    /// <summary>The next match at or after <paramref name="from"/>.</summary>
    /// <param name="text">The whole piece.</param>
    /// <param name="from">Where to look from, inside the piece.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends; more than <paramref name="start"/>.</param>
    /// <returns>False when there is no further match.</returns>
    public abstract bool Next(ReadOnlySpan<char> text, int from, out int start, out int end);
}
