using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using LlmShearing.Tokenizers.AddedTokens;
using LlmShearing.Tokenizers.Bpe;
using LlmShearing.Tokenizers.Decoding;
using LlmShearing.Tokenizers.PreTokenization;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>The tokenizer a tokenizer.json describes. Truncation and padding are the caller's business and not applied.</summary>
internal sealed class JsonTokenizer : ITokenizer
{
    private readonly JsonTokenizerParts _parts;
    private readonly string?[] _tokens;
    private readonly bool[] _isSpecial;
    private readonly byte[]?[]? _tokenBytes;
    private readonly AddedTokenSplitter _rawTokens;
    private readonly AddedTokenSplitter _normalizedTokens;
    private readonly ConcurrentBag<Worker> _workers = [];

    public JsonTokenizer(JsonTokenizerParts parts)
    {
        _parts = parts;
        VocabularySize = parts.TokenIds.Values.DefaultIfEmpty(-1).Max() + 1;
        _tokens = new string?[VocabularySize];
        foreach ((string token, int id) in parts.TokenIds)
            _tokens[id] = token;
        _isSpecial = new bool[VocabularySize];
        foreach (AddedToken token in parts.AddedTokens)
            _isSpecial[token.Id] |= token.Special;

        _rawTokens = new AddedTokenSplitter(parts.AddedTokens.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        _normalizedTokens = new AddedTokenSplitter(parts.AddedTokens.Where(t => t.Normalized)
            .Select(t => (parts.Normalizer.Apply(t.Content), t)));
        if (parts.Decoders is [ByteLevelDecoder])
            _tokenBytes = new byte[]?[VocabularySize];
    }

    public int VocabularySize { get; }

    public int? BosTokenId => _parts.Special.Bos;

    public int? EosTokenId => _parts.Special.Eos;

    public int? UnknownTokenId => _parts.Special.Unknown;

    public int? PadTokenId => _parts.Special.Pad;

    public void EncodeTo(ReadOnlySpan<char> text, IBufferWriter<int> destination, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(destination);
        Worker worker = Rent();
        ScratchBuffer<int> output = worker.Work.Output;
        foreach (TemplatePart part in addSpecialTokens ? _parts.Template.Single : TokenTemplate.None.Single)
        {
            if (part.Ids is not null)
                output.Append(part.Ids);
            else
                Encode(text, worker);
        }
        destination.Write(output.Span);
        Return(worker);
    }

    public EncodedPair EncodePair(ReadOnlySpan<char> first, ReadOnlySpan<char> second, bool addSpecialTokens = true)
    {
        Worker worker = Rent();
        ScratchBuffer<int> output = worker.Work.Output;
        var types = new List<int>();
        foreach (TemplatePart part in addSpecialTokens ? _parts.Template.Pair : TokenTemplate.None.Pair)
        {
            if (part.Ids is not null)
                output.Append(part.Ids);
            else
                Encode(part.IsSecond ? second : first, worker);
            while (types.Count < output.Length)
                types.Add(part.TypeId);
        }
        var pair = new EncodedPair(output.Span.ToArray(), types);
        Return(worker);
        return pair;
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        if (_tokenBytes is not null)
            return DecodeBytes(ids, skipSpecialTokens);

        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
            if (IdToToken(id) is { } token && !(skipSpecialTokens && _isSpecial[id]))
                tokens.Add(token);
        if (_parts.Decoders is null)
            return string.Join(' ', tokens);
        foreach (TokenDecoder decoder in _parts.Decoders)
            decoder.Apply(tokens);
        return string.Concat(tokens);
    }

    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _parts.TokenIds.TryGetValue(token, out int id) ? id : null;
    }

    public string? IdToToken(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    /// <summary>The words the pre-tokenizers make of a text, for tests.</summary>
    internal List<string> PreTokenize(string text)
    {
        var words = new List<string>();
        new PieceFlow(_parts.PreTokenizers, word => words.Add(new string(word))).Send(text, atStart: true);
        return words;
    }

    private void Encode(ReadOnlySpan<char> text, Worker worker)
    {
        int from = 0;
        int search = 0;
        while (!_rawTokens.IsEmpty && _rawTokens.Next(text, ref search, from, out int start, out int end) is { } token)
        {
            if (start > from)
                EncodeNormalized(text[from..start], from == 0, worker);
            worker.Work.Output.Add(token.Id);
            from = end;
        }
        if (from < text.Length)
            EncodeNormalized(text[from..], from == 0, worker);
    }

    private void EncodeNormalized(ReadOnlySpan<char> raw, bool atStart, Worker worker)
    {
        ReadOnlySpan<char> text = _parts.Normalizer.Apply(raw, worker.Work.Text, worker.Work.OtherText, ref atStart);
        int from = 0;
        int search = 0;
        while (!_normalizedTokens.IsEmpty && _normalizedTokens.Next(text, ref search, from, out int start, out int end) is { } token)
        {
            if (start > from)
                worker.Flow.Send(text[from..start], atStart && from == 0);
            worker.Work.Output.Add(token.Id);
            from = end;
        }
        if (from < text.Length)
            worker.Flow.Send(text[from..], atStart && from == 0);
    }

    private string DecodeBytes(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var bytes = new ScratchBuffer<byte>();
        foreach (int id in ids)
        {
            if (IdToToken(id) is not { } token || (skipSpecialTokens && _isSpecial[id]))
                continue;
            if (_tokenBytes![id] is not { } known)
            {
                // Threads may race here; they store equal arrays.
                int before = bytes.Length;
                ByteLevelDecoder.AppendBytes(token, bytes);
                _tokenBytes[id] = bytes.Span[before..].ToArray();
            }
            else
            {
                bytes.Append(known);
            }
        }
        return Encoding.UTF8.GetString(bytes.Span);
    }

    private Worker Rent()
    {
        if (!_workers.TryTake(out Worker? worker))
            worker = new Worker(_parts);
        worker.Work.Output.Clear();
        return worker;
    }

    private void Return(Worker worker)
    {
        if (worker.Work.IsWorthKeeping && worker.Flow.Capacity <= 1 << 20)
            _workers.Add(worker);
    }

    /// <summary>What one thread uses during a call.</summary>
    private sealed class Worker
    {
        public Worker(JsonTokenizerParts parts)
        {
            Work = parts.Model.CreateWorkspace();
            Flow = new PieceFlow(parts.PreTokenizers, word => parts.Model.Encode(word, Work));
        }

        public BpeWorkspace Work { get; }

        public PieceFlow Flow { get; }
    }
}
