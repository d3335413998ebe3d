using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using LlmShearing.Tokenizers.AddedTokens;
using LlmShearing.Tokenizers.Bpe;
using LlmShearing.Tokenizers.HuggingFace;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>
/// A sentencepiece <c>.model</c>. Control pieces such as <c>&lt;s&gt;</c> are never found in text. Special tokens are bos in front
/// (LLaMA's habit) and eos at the end when asked for. When special tokens are kept, decoding writes their names.
/// </summary>
internal sealed class SentencePieceTokenizer : ITokenizer
{
    private readonly SentencePieceModel _model;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly TokenTrie<string> _userDefined = new();
    private readonly SentencePieceNormalizer _normalizer;
    private readonly SentencePieceEncoder _encoder;
    private readonly TokenTemplate _template;
    private readonly ConcurrentBag<BpeWorkspace> _workspaces = [];

    private readonly FolderTokens? _folder;
    private readonly SlowTokenSplitter? _splitter;
    private readonly Dictionary<int, AddedToken> _added = [];
    private readonly string? _wordInFront;
    private readonly int _idsInFront;

    public SentencePieceTokenizer(SentencePieceModel model, bool addBos, bool addEos, FolderTokens? folder = null)
    {
        // In the newer way the space in front is put there once, before the text is cut at added tokens.
        _model = model = folder is { Legacy: false } ? model with { AddDummyPrefix = false } : model;
        _folder = folder;
        if (folder is not null)
        {
            _splitter = new SlowTokenSplitter(folder.Added);
            foreach (AddedToken token in folder.Added.Values)
                _added[token.Id] = token;
        }
        VocabularySize = Math.Max(model.Pieces.Count, _added.Keys.DefaultIfEmpty(-1).Max() + 1);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            _ids.Add(model.Pieces[id].Text, id);
            if (model.Pieces[id].Kind == PieceKind.UserDefined)
                _userDefined.Add(model.Pieces[id].Text, model.Pieces[id].Text);
        }
        _normalizer = new SentencePieceNormalizer(model, _userDefined);
        _encoder = new SentencePieceEncoder(model, _ids);
        if (folder is { Legacy: false } && model.RemoveExtraWhitespaces)
        {
            _wordInFront = UnknownTokenId is { } unknown ? IdToToken(unknown) : null;
            BpeWorkspace work = Rent();
            EncodeText(_wordInFront ??= "<unk>", work);
            _idsInFront = work.Output.Length;
            Return(work);
        }
        _template = TokenTemplate.Around(addBos ? BosTokenId : null, addEos ? EosTokenId : null);
    }

    public int VocabularySize { get; }

    public int? BosTokenId => _folder is null ? Control(_model.BosId) : _folder.Special.Bos;

    public int? EosTokenId => _folder is null ? Control(_model.EosId) : _folder.Special.Eos;

    public int? UnknownTokenId => _folder?.Special.Unknown ?? _encoder.UnknownId;

    public int? PadTokenId => _folder is null ? Control(_model.PadId) : _folder.Special.Pad;

    public void EncodeTo(ReadOnlySpan<char> text, IBufferWriter<int> destination, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(destination);
        BpeWorkspace work = Rent();
        foreach (TemplatePart part in addSpecialTokens ? _template.Single : TokenTemplate.None.Single)
            Encode(part, text, work);
        destination.Write(work.Output.Span);
        Return(work);
    }

    public EncodedPair EncodePair(ReadOnlySpan<char> first, ReadOnlySpan<char> second, bool addSpecialTokens = true)
    {
        BpeWorkspace work = Rent();
        var types = new List<int>();
        foreach (TemplatePart part in addSpecialTokens ? _template.Pair : TokenTemplate.None.Pair)
        {
            Encode(part, part.IsSecond ? second : first, work);
            while (types.Count < work.Output.Length)
                types.Add(part.TypeId);
        }
        var pair = new EncodedPair(work.Output.Span.ToArray(), types);
        Return(work);
        return pair;
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var text = new StringBuilder();
        var bytes = new ScratchBuffer<byte>();
        bool stripping = _model.AddDummyPrefix || _model.RemoveExtraWhitespaces || _folder is { Legacy: false, AddPrefixSpace: true };
        bool stripped = false;
        foreach (int id in ids)
        {
            if (_added.TryGetValue(id, out AddedToken? added))
            {
                if (skipSpecialTokens && (added.Special || _folder!.Named.Contains(added.Content)))
                    continue;
                AppendBytes(bytes, text);
                text.Append(added.Content);
                continue;
            }
            if ((uint)id >= (uint)_model.Pieces.Count)
                continue;
            Piece piece = _model.Pieces[id];
            if (piece.Kind == PieceKind.Byte && ByteTokens.TryParse(piece.Text, out byte value))
            {
                bytes.Add(value);
                continue;
            }
            AppendBytes(bytes, text);
            // Only the first mark of the whole text goes, or all leading ones when whitespace is collapsed.
            bool atStart = stripping && !stripped && text.Length == 0;
            stripped = AppendPiece(piece, atStart, skipSpecialTokens, text);
        }
        AppendBytes(bytes, text);
        return text.ToString();
    }

    public int? TokenToId(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (_folder?.Added.TryGetValue(token, out AddedToken? added) == true)
            return added.Id;
        return _ids.TryGetValue(token, out int id) ? id : null;
    }

    public string? IdToToken(int id) => _added.TryGetValue(id, out AddedToken? added) ? added.Content : (uint)id < (uint)_model.Pieces.Count ? _model.Pieces[id].Text : null;

    private bool AppendPiece(Piece piece, bool atStart, bool skipSpecialTokens, StringBuilder text)
    {
        switch (piece.Kind)
        {
            case PieceKind.Control:
                if (!skipSpecialTokens)
                    text.Append(piece.Text);
                return false;
            case PieceKind.Unknown:
                text.Append(_model.UnknownSurface);
                return false;
            default:
                bool strip = atStart && piece.Text[0] == WordCutter.SpaceMark;
                text.Append((strip ? piece.Text[1..] : piece.Text).Replace(WordCutter.SpaceMark, ' '));
                return strip && !_model.RemoveExtraWhitespaces;
        }
    }

    private static void AppendBytes(ScratchBuffer<byte> bytes, StringBuilder text)
    {
        for (ReadOnlySpan<byte> rest = bytes.Span; !rest.IsEmpty;)
        {
            bool valid = Rune.DecodeFromUtf8(rest, out Rune rune, out int used) == OperationStatus.Done;
            text.Append(rune.ToString());
            // Each bad byte counts for itself, also inside a sequence that breaks off.
            rest = rest[(valid ? used : 1)..];
        }
        bytes.Clear();
    }

    private void Encode(TemplatePart part, ReadOnlySpan<char> raw, BpeWorkspace work)
    {
        if (part.Ids is not null)
        {
            work.Output.Append(part.Ids);
            return;
        }
        if (_folder is { Legacy: false } && !raw.IsEmpty)
            raw = (_folder.AddPrefixSpace ? WordCutter.SpaceMark.ToString() : "") + raw.ToString().Replace(WordCutter.SpaceMark, ' ');
        if (_splitter?.Split(raw) is not { } parts)
        {
            if (_wordInFront is null)
                EncodeText(raw, work);
            else
                EncodeStretch(raw.ToString(), work);
            return;
        }

        for (int i = 0; i < parts.Count; i++)
        {
            if (parts[i].Token is { } token)
                work.Output.Add(token.Id);
            else if (!(i == 0 && IsLoneMark(parts)))
                EncodeStretch(parts[i].Text, work);
        }
    }

    // The mark put before a text that begins with a special token goes again.
    private bool IsLoneMark(List<(string Text, AddedToken? Token)> parts) =>
        _folder is { Legacy: false } && parts is [{ Text: [WordCutter.SpaceMark or ' '] }, { Token: { } next }, ..] && _folder.Named.Contains(next.Content);

    private void EncodeStretch(string raw, BpeWorkspace work)
    {
        // The model would drop a space in front. The reference saves it by a word before the text, whose ids go again.
        if (_wordInFront is null || !raw.StartsWith(WordCutter.SpaceMark) && !raw.StartsWith(' '))
        {
            EncodeText(raw, work);
            return;
        }
        int start = work.Output.Length;
        EncodeText(_wordInFront + raw, work);
        ReadOnlySpan<int> all = work.Output.Span[start..];
        int[] kept = (all.Length >= _idsInFront ? all[_idsInFront..] : all).ToArray();
        work.Output.Truncate(start);
        work.Output.Append(kept);
    }

    private void EncodeText(ReadOnlySpan<char> raw, BpeWorkspace work)
    {
        work.Text.Clear();
        _normalizer.Apply(raw, work.Text);
        int outputStart = work.Output.Length;
        ReadOnlySpan<char> text = work.Text.Span;
        while (!_userDefined.IsEmpty && _userDefined.Find(text, 0, out int start, out int length) is { } piece)
        {
            _encoder.Encode(text[..start], work, outputStart);
            work.Output.Add(_ids[piece]);
            text = text[(start + length)..];
        }
        _encoder.Encode(text, work, outputStart);
    }

    private int? Control(int id) => (uint)id < (uint)_model.Pieces.Count ? id : null;

    private BpeWorkspace Rent()
    {
        if (!_workspaces.TryTake(out BpeWorkspace? work))
            work = _encoder.CreateWorkspace();
        work.Output.Clear();
        return work;
    }

    private void Return(BpeWorkspace work)
    {
        if (work.IsWorthKeeping)
            _workspaces.Add(work);
    }
}
