using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Normalization;

/// <summary>One step that rewrites text before it is split. Steps are immutable and shared by threads.</summary>
internal abstract class Normalizer
{
    /// <summary>Quick test that the step would not change the text.</summary>
    public virtual bool LeavesAlone(ReadOnlySpan<char> text) => false;

    /// <summary>Appends the rewritten text.</summary>
    /// <param name="text">The text; may be empty.</param>
    /// <param name="output">Receives the result.</param>
    /// <param name="atStart">The text begins where the whole text begins; set to false when its beginning is cut off.</param>
    public abstract void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart);
}

/// <summary>Runs normalizers one after the other.</summary>
internal sealed class NormalizerChain(Normalizer[] steps)
{
    public bool IsEmpty => steps.Length == 0;

    /// <summary>The normalised text, in <paramref name="text"/> itself or in one of the buffers.</summary>
    public ReadOnlySpan<char> Apply(ReadOnlySpan<char> text, ScratchBuffer<char> buffer, ScratchBuffer<char> other, ref bool atStart)
    {
        foreach (Normalizer step in steps)
        {
            if (step.LeavesAlone(text))
                continue;
            buffer.Clear();
            step.Apply(text, buffer, ref atStart);
            text = buffer.Span;
            (buffer, other) = (other, buffer);
        }
        return text;
    }

    /// <summary>The normalised text of a token.</summary>
    public string Apply(string text)
    {
        bool atStart = true;
        return new string(Apply(text, new ScratchBuffer<char>(), new ScratchBuffer<char>(), ref atStart));
    }
}
