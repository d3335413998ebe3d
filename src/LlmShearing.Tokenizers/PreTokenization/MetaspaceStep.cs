using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>When <see cref="MetaspaceStep"/> puts a mark in front.</summary>
internal enum PrependScheme
{
    /// <summary>Before every piece.</summary>
    Always,

    /// <summary>Only where the whole text begins.</summary>
    First,

    /// <summary>Never.</summary>
    Never,
}

/// <summary>Replaces spaces by a mark (usually U+2581), may put one in front, and may split before each mark.</summary>
internal sealed class MetaspaceStep(char mark, PrependScheme scheme, bool split) : PreTokenizer
{
    public override void Split(ReadOnlySpan<char> text, bool atStart, int step, PieceFlow flow)
    {
        ScratchBuffer<char> rewritten = flow.Rewrite(step);
        bool marked = text[0] == ' ' || text[0] == mark;
        if (!marked && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && atStart)))
            rewritten.Add(mark);
        text.Replace(rewritten.Reserve(text.Length), ' ', mark);
        rewritten.Advance(text.Length);

        ReadOnlySpan<char> rest = rewritten.Span;
        bool first = atStart;
        while (!rest.IsEmpty)
        {
            int next = split ? rest[1..].IndexOf(mark) + 1 : 0;
            int length = next > 0 ? next : rest.Length;
            flow.Send(rest[..length], first, step + 1);
            rest = rest[length..];
            first = false;
        }
    }
}
