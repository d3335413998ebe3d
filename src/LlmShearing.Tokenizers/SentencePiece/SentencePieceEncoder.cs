using System.Text;
using LlmShearing.Tokenizers.Bpe;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>
/// Sentencepiece BPE: the merge with the best score goes first, the leftmost of equals. Scores become ranks in which equal scores
/// are equal, so that <see cref="BpeMerger"/> decides ties as the reference does. Immutable.
/// </summary>
internal sealed class SentencePieceEncoder
{
    private readonly SentencePieceModel _model;
    private readonly PairTable _pairs = new(1024);
    private readonly SymbolTable _symbols = new();
    private readonly List<Rune> _extraSymbols = [];
    private readonly int[] _byteIds = new int[256];
    private readonly int _unknownId;
    private readonly bool _hasUnused;
    private readonly WordCutter? _cutter;

    public SentencePieceEncoder(SentencePieceModel model, Dictionary<string, int> ids)
    {
        _model = model;
        _unknownId = model.Pieces.FindIndex(piece => piece.Kind == PieceKind.Unknown);
        _hasUnused = model.Pieces.Exists(piece => piece.Kind == PieceKind.Unused);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            Piece piece = model.Pieces[id];
            if (piece.Kind == PieceKind.Byte && ByteTokens.TryParse(piece.Text, out byte value))
                _byteIds[value] = id;
            if (piece.Kind is not (PieceKind.Unknown or PieceKind.Byte) && SingleRune(piece.Text) is { } rune)
                _symbols[rune.Value] = id;
        }

        List<(string Left, string Right)> merges = BuildPairs(ids);
        if (!_hasUnused)
            _cutter = WordCutter.TryCreate(merges);
    }

    public int UnknownId => _unknownId;

    public BpeWorkspace CreateWorkspace() => new(new BpeMerger(_pairs));

    /// <summary>Appends the ids of normalised text that has no user-defined pieces in it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="work">The thread's workspace.</param>
    /// <param name="outputStart">Where the ids of this text began; an unknown joins one before it, but not across this.</param>
    public void Encode(ReadOnlySpan<char> text, BpeWorkspace work, int outputStart)
    {
        while (!text.IsEmpty)
        {
            int length = _cutter?.FirstWord(text) ?? text.Length;
            EncodeWord(text[..length], work, outputStart);
            text = text[length..];
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, BpeWorkspace work, int outputStart)
    {
        bool cached = word.Length <= WordCache.LongestWord && !_hasUnused;
        ulong hash = cached ? WordCache.Hash(word) : 0;
        if (cached && work.Cache.TryGet(word, hash, out ReadOnlySpan<int> known))
        {
            Append(known, work, outputStart);
            return;
        }

        ScratchBuffer<int> symbols = work.Symbols;
        symbols.Clear();
        foreach (Rune rune in word.EnumerateRunes())
        {
            int id = _symbols[rune.Value];
            // A character in no piece at all: negative, so that it merges with nothing.
            symbols.Add(id >= 0 ? id : ~rune.Value);
        }

        Dictionary<int, (int Left, int Right)>? splits = _hasUnused ? [] : null;
        BpeMerger merger = splits is null
            ? work.Merger
            : new BpeMerger(_pairs) { Considered = (left, right, merged) => splits[merged] = (left, right) };
        int count = merger.Merge(symbols.Span);

        ScratchBuffer<int> ids = work.WordIds;
        ids.Clear();
        foreach (int symbol in symbols.Span[..count])
            AddFinal(symbol, splits, ids);
        if (cached)
            work.Cache.Add(word, hash, ids.Span);
        Append(ids.Span, work, outputStart);
    }

    private void AddFinal(int symbol, Dictionary<int, (int Left, int Right)>? splits, ScratchBuffer<int> ids)
    {
        if (symbol < 0)
        {
            AddUnknown(new Rune(~symbol), ids);
        }
        else if (symbol >= _model.Pieces.Count)
        {
            AddUnknown(_extraSymbols[symbol - _model.Pieces.Count], ids);
        }
        else if (splits is not null && _model.Pieces[symbol].Kind == PieceKind.Unused && splits.TryGetValue(symbol, out var parts))
        {
            // Parts are shorter than the whole, so this ends.
            AddFinal(parts.Left, splits, ids);
            AddFinal(parts.Right, splits, ids);
        }
        else
        {
            ids.Add(symbol);
        }
    }

    private void AddUnknown(Rune rune, ScratchBuffer<int> ids)
    {
        if (_model.ByteFallback)
        {
            Span<byte> utf8 = stackalloc byte[4];
            foreach (byte b in utf8[..rune.EncodeToUtf8(utf8)])
                ids.Add(_byteIds[b]);
        }
        else if (ids.Length == 0 || ids.Span[^1] != _unknownId)
        {
            ids.Add(_unknownId);
        }
    }

    private void Append(ReadOnlySpan<int> ids, BpeWorkspace work, int outputStart)
    {
        ScratchBuffer<int> output = work.Output;
        if (ids.Length > 0 && ids[0] == _unknownId && output.Length > outputStart && output.Span[^1] == _unknownId)
            ids = ids[1..];
        output.Append(ids);
    }

    private List<(string Left, string Right)> BuildPairs(Dictionary<string, int> ids)
    {
        float[] scores = [.. _model.Pieces.Where(piece => piece.IsMergeable).Select(piece => piece.Score).Distinct().OrderDescending()];
        var ranks = new Dictionary<float, int>();
        for (int rank = 0; rank < scores.Length; rank++)
            ranks[scores[rank]] = rank;

        var merges = new List<(string, string)>();
        for (int id = 0; id < _model.Pieces.Count; id++)
        {
            Piece piece = _model.Pieces[id];
            if (!piece.IsMergeable)
                continue;
            for (int cut = 1; cut < piece.Text.Length; cut++)
            {
                if (char.IsLowSurrogate(piece.Text[cut]))
                    continue;
                string left = piece.Text[..cut];
                string right = piece.Text[cut..];
                if (SymbolOf(left, ids) is not { } leftId || SymbolOf(right, ids) is not { } rightId)
                    continue;
                _pairs.Set(leftId, rightId, ranks[piece.Score], id);
                merges.Add((left, right));
            }
        }
        return merges;
    }

    /// <summary>The symbol a string can be while merging: any single character, or a longer mergeable piece.</summary>
    private int? SymbolOf(string text, Dictionary<string, int> ids)
    {
        if (SingleRune(text) is not { } rune)
            return ids.TryGetValue(text, out int id) && _model.Pieces[id].IsMergeable ? id : null;
        if (_symbols[rune.Value] < 0)
        {
            _symbols[rune.Value] = _model.Pieces.Count + _extraSymbols.Count;
            _extraSymbols.Add(rune);
        }
        return _symbols[rune.Value];
    }

    private static Rune? SingleRune(string text) =>
        Rune.DecodeFromUtf16(text, out Rune rune, out int used) == System.Buffers.OperationStatus.Done && used == text.Length ? rune : null;
}
