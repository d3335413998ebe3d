using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace LlmShearing.Tokenizers;

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

    public SentencePieceTokenizer(SentencePieceModel model, bool addBos, bool addEos)
    {
        _model = model;
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            _ids.Add(model.Pieces[id].Text, id);
            if (model.Pieces[id].Kind == PieceKind.UserDefined)
                _userDefined.Add(model.Pieces[id].Text, model.Pieces[id].Text);
        }
        _normalizer = new SentencePieceNormalizer(model, _userDefined);
        _encoder = new SentencePieceEncoder(model, _ids);
        _template = TokenTemplate.Around(addBos ? BosTokenId : null, addEos ? EosTokenId : null);
    }

    public int VocabularySize => _model.Pieces.Count;

    public int? BosTokenId => Control(_model.BosId);

    public int? EosTokenId => Control(_model.EosId);

    public int? UnknownTokenId => _encoder.UnknownId;

    public int? PadTokenId => Control(_model.PadId);

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
        bool stripping = _model.AddDummyPrefix || _model.RemoveExtraWhitespaces;
        bool stripped = false;
        foreach (int id in ids)
        {
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
        return _ids.TryGetValue(token, out int id) ? id : null;
    }

    public string? IdToToken(int id) => (uint)id < (uint)_model.Pieces.Count ? _model.Pieces[id].Text : null;

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
