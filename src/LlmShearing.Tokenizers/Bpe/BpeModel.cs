using System.Text;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Bpe;

/// <summary>The BPE model of a tokenizer.json: words to ids. Immutable; the mutable part is the caller's <see cref="BpeWorkspace"/>.</summary>
internal sealed class BpeModel
{
    private readonly BpeDefinition _definition;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _vocabulary;
    private readonly PairTable _pairs;
    private readonly SymbolTable _symbols = new();
    private readonly int[] _byteTokens = new int[256];
    private readonly int[]? _byteSymbols;
    private readonly WordCutter? _cutter;
    private readonly bool _byteLevel;
    private readonly bool _decorated;
    private readonly int _unknownId = -1;
    private readonly int _longestToken;

    /// <summary>Builds the tables.</summary>
    /// <param name="definition">Vocabulary, merges and flags.</param>
    /// <param name="byteLevel">Words arrive as plain text and are spelled in the <see cref="ByteAlphabet"/> here.</param>
    public BpeModel(BpeDefinition definition, bool byteLevel)
    {
        _definition = definition;
        _byteLevel = byteLevel;
        _vocabulary = definition.Vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _decorated = definition.ContinuingPrefix.Length + definition.EndSuffix.Length > 0;
        foreach ((string token, int id) in definition.Vocabulary)
        {
            _longestToken = Math.Max(_longestToken, token.Length);
            if (Rune.DecodeFromUtf16(token, out Rune rune, out int used) == System.Buffers.OperationStatus.Done && used == token.Length)
                _symbols[rune.Value] = id;
        }

        _pairs = BuildPairs(definition);
        for (int b = 0; b < 256; b++)
            _byteTokens[b] = definition.ByteFallback ? IdOf($"<0x{b:X2}>") : -1;
        if (definition.UnknownToken is not null)
            _unknownId = IdOf(definition.UnknownToken);

        // Bytes go straight to ids when a missing one simply vanishes.
        if (byteLevel && !_decorated && !definition.ByteFallback && definition.UnknownToken is null)
        {
            _byteSymbols = new int[256];
            for (int b = 0; b < 256; b++)
                _byteSymbols[b] = _symbols[ByteAlphabet.ToChar((byte)b)];
        }

        // A character that vanishes would bring its neighbours together across a cut.
        bool nothingVanishes = definition.UnknownToken is not null || (definition.ByteFallback && !_byteTokens.Contains(-1));
        if (!byteLevel && !_decorated && !definition.IgnoreMerges && nothingVanishes && _symbols[WordCutter.SpaceMark] >= 0)
            _cutter = WordCutter.TryCreate(definition.Merges);
    }

    public BpeWorkspace CreateWorkspace() => new(new BpeMerger(_pairs));

    /// <summary>Appends the ids of a piece of text to the workspace's output.</summary>
    /// <exception cref="TokenizerException">An unknown token is needed and not in the vocabulary.</exception>
    public void Encode(ReadOnlySpan<char> piece, BpeWorkspace work)
    {
        if (_cutter is null)
        {
            EncodeWord(piece, work);
            return;
        }
        while (!piece.IsEmpty)
        {
            int length = _cutter.FirstWord(piece);
            EncodeWord(piece[..length], work);
            piece = piece[length..];
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, BpeWorkspace work)
    {
        if (word.Length > WordCache.LongestWord)
        {
            Compute(word, work);
            return;
        }

        ulong hash = WordCache.Hash(word);
        if (work.Cache.TryGet(word, hash, out ReadOnlySpan<int> known))
        {
            work.Output.Append(known);
            return;
        }
        int start = work.Output.Length;
        Compute(word, work);
        work.Cache.Add(word, hash, work.Output.Span[start..]);
    }

    private void Compute(ReadOnlySpan<char> word, BpeWorkspace work)
    {
        ReadOnlySpan<char> spelled = word;
        if (_byteLevel)
        {
            ToUtf8(word, work.Bytes);
            if (_byteSymbols is null || _definition.IgnoreMerges)
                spelled = Spell(work);
        }

        if (_definition.IgnoreMerges && spelled.Length <= _longestToken && _vocabulary.TryGetValue(spelled, out int whole))
        {
            work.Output.Add(whole);
            return;
        }

        ScratchBuffer<int> symbols = work.Symbols;
        symbols.Clear();
        if (_byteSymbols is not null)
        {
            foreach (byte b in work.Bytes.Span)
                if (_byteSymbols[b] >= 0)
                    symbols.Add(_byteSymbols[b]);
        }
        else
        {
            AddSymbols(spelled, symbols);
        }
        work.Output.Append(symbols.Span[..work.Merger.Merge(symbols.Span)]);
    }

    private void AddSymbols(ReadOnlySpan<char> word, ScratchBuffer<int> symbols)
    {
        // An unknown waits so that a following one can join it. Byte tokens do not release it (the reference's order).
        bool pending = false;
        for (int i = 0; i < word.Length;)
        {
            Rune.DecodeFromUtf16(word[i..], out Rune rune, out int used);
            int id = _decorated ? DecoratedId(rune, i == 0, i + used == word.Length) : _symbols[rune.Value];
            i += used;
            if (id >= 0)
            {
                if (pending)
                    symbols.Add(_unknownId);
                pending = false;
                symbols.Add(id);
                continue;
            }
            if (_definition.ByteFallback && TryAddBytes(rune, i == used, i == word.Length, symbols))
                continue;
            if (_definition.UnknownToken is null)
                continue;
            if (_unknownId < 0)
                throw new TokenizerException($"{_definition.Source}: unk_token '{_definition.UnknownToken}' is not in the vocabulary, but U+{rune.Value:X4} needs it.");
            if (pending && !_definition.FuseUnknown)
                symbols.Add(_unknownId);
            pending = true;
        }
        if (pending)
            symbols.Add(_unknownId);
    }

    private bool TryAddBytes(Rune rune, bool isFirst, bool isLast, ScratchBuffer<int> symbols)
    {
        Span<byte> utf8 = stackalloc byte[4];
        ReadOnlySpan<byte> bytes = _decorated
            ? Encoding.UTF8.GetBytes(Decorate(rune, isFirst, isLast))
            : utf8[..rune.EncodeToUtf8(utf8)];
        foreach (byte b in bytes)
            if (_byteTokens[b] < 0)
                return false;
        foreach (byte b in bytes)
            symbols.Add(_byteTokens[b]);
        return true;
    }

    private int DecoratedId(Rune rune, bool isFirst, bool isLast) => IdOf(Decorate(rune, isFirst, isLast));

    private string Decorate(Rune rune, bool isFirst, bool isLast) =>
        (isFirst ? "" : _definition.ContinuingPrefix) + rune + (isLast ? _definition.EndSuffix : "");

    private int IdOf(string token) => _definition.Vocabulary.GetValueOrDefault(token, -1);

    private static void ToUtf8(ReadOnlySpan<char> text, ScratchBuffer<byte> bytes)
    {
        bytes.Clear();
        bytes.Advance(Encoding.UTF8.GetBytes(text, bytes.Reserve(checked(text.Length * 3))));
    }

    private static ReadOnlySpan<char> Spell(BpeWorkspace work)
    {
        work.Chars.Clear();
        Span<char> chars = work.Chars.Reserve(work.Bytes.Length);
        for (int i = 0; i < chars.Length; i++)
            chars[i] = ByteAlphabet.ToChar(work.Bytes.Span[i]);
        return chars;
    }

    private static PairTable BuildPairs(BpeDefinition definition)
    {
        var pairs = new PairTable(definition.Merges.Count);
        int prefix = definition.ContinuingPrefix.Length;
        for (int rank = 0; rank < definition.Merges.Count; rank++)
        {
            (string left, string right) = definition.Merges[rank];
            string merged = left + (right.Length >= prefix ? right[prefix..] : "");
            pairs.Set(Need(left), Need(right), rank, Need(merged));

            int Need(string token) => definition.Vocabulary.TryGetValue(token, out int id)
                ? id
                : throw new TokenizerException($"{definition.Source}: merge {rank} ('{left}' + '{right}') needs the token '{token}', which is not in the vocabulary.");
        }
        return pairs;
    }
}
