// Runs a split expression over whole code points.
using System.Text;
using LlmShearing.Tokenizers.PreTokenization;

namespace LlmShearing.Tokenizers.Patterns;

/// <summary>
/// Matches as a backtracking engine does: the leftmost match, and of several the first in the order of the expression. .NET's engine
/// would not do: it sees UTF-16 units and so misses letters and digits beyond the basic plane. Immutable.
/// </summary>
internal sealed class PatternScanner(PatternStep[] steps, string pattern) : PieceScanner
{
    // Far beyond what published expressions need; stops those that backtrack without end.
    private const long MostSteps = 200_000_000;

    [ThreadStatic]
    private static Retry[]? stack;

    public override bool Next(ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        long budget = MostSteps;
        for (start = from; start < text.Length; start += WidthAt(text, start))
        {
            end = Run(text, 0, start, 0, ref budget);
            if (end > start)
                return true;
        }
        start = end = from;
        return false;
    }

    private int Run(ReadOnlySpan<char> text, int step, int at, int floor, ref long budget)
    {
        int depth = floor;
        while (true)
        {
            if (--budget < 0)
                throw new TokenizerException($"The regular expression '{pattern}' of the tokenizer does not come to an end on a text of {text.Length} characters. Cut the text into smaller ones.");
            PatternStep s = steps[step];
            bool failed = false;
            switch (s.Op)
            {
                case PatternOp.Match:
                    return at;
                case PatternOp.Take:
                    int length = s.Set!.Length(text, at);
                    failed = length == 0;
                    (at, step) = (at + length, step + 1);
                    break;
                case PatternOp.TakeMany or PatternOp.TakeAll:
                    failed = !TakeRun(text, s, ref at, out int least, ref budget);
                    step++;
                    if (!failed && s.Op == PatternOp.TakeMany && at > least)
                        Push(ref depth, new Retry(step, at, least));
                    break;
                case PatternOp.Split:
                    Push(ref depth, new Retry(s.B, at, at));
                    step = s.A;
                    break;
                case PatternOp.Jump:
                    step = s.A;
                    break;
                case PatternOp.LineEnd:
                    failed = at < text.Length && text[at] != '\n';
                    step++;
                    break;
                default:
                    int inner = Run(text, step + 1, at, depth, ref budget);
                    failed = s.Op == PatternOp.NotAhead ? inner >= 0 : inner < 0;
                    if (s.Op == PatternOp.Atomic && !failed)
                        at = inner;
                    step = s.A;
                    break;
            }
            if (!failed)
                continue;
            if (depth == floor)
                return -1;

            Retry retry = stack![--depth];
            (step, at) = (retry.Step, retry.At);
            if (retry.Least < retry.At)
            {
                at -= WidthBefore(text, at);
                if (at > retry.Least)
                    Push(ref depth, retry with { At = at });
            }
        }
    }

    /// <summary>Takes as many as there may be; <paramref name="least"/> is where the fewest would end.</summary>
    private static bool TakeRun(ReadOnlySpan<char> text, PatternStep s, ref int at, out int least, ref long budget)
    {
        int count = 0;
        least = at;
        while (count < s.Max && s.Set!.Length(text, at) is int length and > 0)
        {
            at += length;
            if (++count == s.Min)
                least = at;
        }
        budget -= count;
        return count >= s.Min;
    }

    private static int WidthAt(ReadOnlySpan<char> text, int at) =>
        char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;

    private static int WidthBefore(ReadOnlySpan<char> text, int at) =>
        at >= 2 && char.IsLowSurrogate(text[at - 1]) && char.IsHighSurrogate(text[at - 2]) ? 2 : 1;

    private static void Push(ref int depth, Retry retry)
    {
        stack ??= new Retry[64];
        if (depth == stack.Length)
            Array.Resize(ref stack, depth * 2);
        stack[depth++] = retry;
    }

    /// <summary>Where to go on after a failure; with <c>Least</c> before <c>At</c> one code point less is taken first.</summary>
    private readonly record struct Retry(int Step, int At, int Least);
}
