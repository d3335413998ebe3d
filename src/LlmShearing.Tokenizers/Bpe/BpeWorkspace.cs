using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Bpe;

/// <summary>Everything a thread needs while it encodes: output, scratch memory and its own cache of words.</summary>
internal sealed class BpeWorkspace(BpeMerger merger)
{
    // Scratch memory above this many items (a text of some megabytes) is given back to the garbage collector.
    private const int WorthKeeping = 1 << 20;

    public BpeMerger Merger { get; } = merger;

    public WordCache Cache { get; } = new();

    /// <summary>The ids found so far.</summary>
    public ScratchBuffer<int> Output { get; } = new();

    public ScratchBuffer<int> Symbols { get; } = new();

    /// <summary>The ids of one word, before they join the output.</summary>
    public ScratchBuffer<int> WordIds { get; } = new();

    public ScratchBuffer<byte> Bytes { get; } = new();

    public ScratchBuffer<char> Chars { get; } = new();

    /// <summary>Text while it is normalised, in turns.</summary>
    public ScratchBuffer<char> Text { get; } = new();

    /// <inheritdoc cref="Text"/>
    public ScratchBuffer<char> OtherText { get; } = new();

    public bool IsWorthKeeping =>
        Math.Max(Math.Max(Merger.Capacity, Output.Capacity), Math.Max(Symbols.Capacity, Text.Capacity)) <= WorthKeeping;
}
