namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>What becomes of the matches of a splitting pattern.</summary>
internal enum SplitBehavior
{
    /// <summary>Each match is a piece of its own.</summary>
    Isolated,

    /// <summary>Matches are dropped.</summary>
    Removed,

    /// <summary>A match ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring matches are one piece.</summary>
    Contiguous,
}

/// <summary>Splits at the matches of a scanner.</summary>
internal sealed class SplitStep(PieceScanner scanner, SplitBehavior behavior, bool invert = false) : PreTokenizer
{
    public override void Split(ReadOnlySpan<char> text, bool atStart, int step, PieceFlow flow)
    {
        switch (behavior)
        {
            case SplitBehavior.Isolated:
                SplitKeeping(text, atStart, step, flow, gaps: true, matches: true);
                break;
            case SplitBehavior.Removed:
                SplitKeeping(text, atStart, step, flow, gaps: !invert, matches: invert);
                break;
            default:
                SplitJoining(text, atStart, step, flow);
                break;
        }
    }

    private void SplitKeeping(ReadOnlySpan<char> text, bool atStart, int step, PieceFlow flow, bool gaps, bool matches)
    {
        int from = 0;
        while (scanner.Next(text, from, out int start, out int end))
        {
            if (gaps)
                flow.Send(text[from..start], atStart && from == 0, step + 1);
            if (matches)
                flow.Send(text[start..end], atStart && start == 0, step + 1);
            from = end;
        }
        if (gaps)
            flow.Send(text[from..], atStart && from == 0, step + 1);
    }

    private void SplitJoining(ReadOnlySpan<char> text, bool atStart, int step, PieceFlow flow)
    {
        List<Part> parts = Parts(text);
        int begin = 0;
        for (int i = 0; i < parts.Count; i++)
        {
            if (i + 1 < parts.Count && JoinsNext(parts[i].IsMatch, parts[i + 1].IsMatch))
                continue;
            flow.Send(text[begin..parts[i].End], atStart && begin == 0, step + 1);
            begin = parts[i].End;
        }
    }

    // Of two matches in a row only one joins the other side; the rest stand alone.
    private bool JoinsNext(bool isMatch, bool nextIsMatch) => behavior switch
    {
        SplitBehavior.MergedWithPrevious => !isMatch && nextIsMatch,
        SplitBehavior.MergedWithNext => isMatch && !nextIsMatch,
        _ => isMatch == nextIsMatch,
    };

    private List<Part> Parts(ReadOnlySpan<char> text)
    {
        var parts = new List<Part>();
        int from = 0;
        while (scanner.Next(text, from, out int start, out int end))
        {
            if (start > from)
                parts.Add(new Part(start, invert));
            parts.Add(new Part(end, !invert));
            from = end;
        }
        if (from < text.Length)
            parts.Add(new Part(text.Length, invert));
        return parts;
    }

    private readonly record struct Part(int End, bool IsMatch);
}
