using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>Carries pieces of text through the pre-tokenizer steps to whoever takes the words. Belongs to one thread at a time.</summary>
internal sealed class PieceFlow
{
    private readonly PreTokenizer[] _steps;
    private readonly ScratchBuffer<char>?[] _rewritten;
    private readonly TakeWord _take;

    public PieceFlow(PreTokenizer[] steps, TakeWord take)
    {
        _steps = steps;
        _rewritten = new ScratchBuffer<char>?[steps.Length];
        _take = take;
    }

    /// <summary>Receives one word.</summary>
    public delegate void TakeWord(ReadOnlySpan<char> word);

    /// <summary>Characters of scratch memory held.</summary>
    public int Capacity
    {
        get
        {
            int largest = 0;
            foreach (ScratchBuffer<char>? buffer in _rewritten)
                largest = Math.Max(largest, buffer?.Capacity ?? 0);
            return largest;
        }
    }

    /// <summary>Sends a piece through the steps from <paramref name="step"/> on; empty pieces are dropped.</summary>
    public void Send(ReadOnlySpan<char> piece, bool atStart, int step = 0)
    {
        if (piece.IsEmpty)
            return;
        if (step == _steps.Length)
            _take(piece);
        else
            _steps[step].Split(piece, atStart, step, this);
    }

    /// <summary>Memory in which a step may rewrite its piece; empty, and free again when the step returns.</summary>
    public ScratchBuffer<char> Rewrite(int step)
    {
        ScratchBuffer<char> buffer = _rewritten[step] ??= new ScratchBuffer<char>();
        buffer.Clear();
        return buffer;
    }
}
