namespace LlmShearing.Tokenizers.Bpe;

/// <summary>Ids of the tokens that are one code point long.</summary>
internal sealed class SymbolTable
{
    private readonly int[] _basicPlane = new int[char.MaxValue + 1];
    private readonly Dictionary<int, int> _others = [];

    public SymbolTable() => Array.Fill(_basicPlane, -1);

    /// <summary>The id of a code point, or -1.</summary>
    public int this[int codePoint]
    {
        get => codePoint < _basicPlane.Length ? _basicPlane[codePoint] : _others.GetValueOrDefault(codePoint, -1);
        set
        {
            if (codePoint < _basicPlane.Length)
                _basicPlane[codePoint] = value;
            else
                _others[codePoint] = value;
        }
    }
}
