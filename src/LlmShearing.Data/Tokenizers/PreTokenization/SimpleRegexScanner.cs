using System.Text.RegularExpressions;

namespace LlmShearing.Tokenizers;

/// <summary>
/// Runs a regular expression with .NET's engine, but only where that means the same as in the reference engine: a plain sequence
/// of literal characters of the basic plane, <c>\s \r \n \t</c> and escaped ASCII signs, each with an optional greedy
/// <c>+ * ? {n} {n,} {n,m}</c>, which cannot match nothing. No classes, groups, anchors or alternatives: .NET sees UTF-16 units there.
/// </summary>
internal sealed class SimpleRegexScanner : PieceScanner
{
    private static readonly Regex Supported = new(
        @"^(?:(?:[^\\\[\](){}.*+?^$|\ud800-\udfff#&~-]|[#&~-]|\\[srntfv]|\\[^\w\s])(?:[+*?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})?)+\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture);

    private readonly Regex _regex;

    private SimpleRegexScanner(Regex regex) => _regex = regex;

    /// <summary>The scanner, or null when the pattern is outside the supported kind.</summary>
    public static SimpleRegexScanner? TryCreate(string pattern)
    {
        if (!Supported.IsMatch(pattern))
            return null;
        try
        {
            var regex = new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
            return regex.IsMatch("") ? null : new SimpleRegexScanner(regex);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        foreach (ValueMatch match in _regex.EnumerateMatches(text, from))
        {
            start = match.Index;
            end = start + match.Length;
            return true;
        }
        start = end = from;
        return false;
    }
}
