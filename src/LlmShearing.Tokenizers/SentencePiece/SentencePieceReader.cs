using Google.Protobuf;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>Reads a sentencepiece <c>.model</c> (a proto2 message) field by field and checks it.</summary>
internal static class SentencePieceReader
{
    // Longer pieces would make building the merges slow; real ones have at most a few dozen characters.
    private const int LongestPiece = 512;

    public static SentencePieceModel Read(byte[] bytes, string source)
    {
        var model = new SentencePieceModel { Source = source };
        try
        {
            ForEachField(new CodedInputStream(bytes), (field, input) =>
            {
                switch (field)
                {
                    case 1:
                        model.Pieces.Add(ReadPiece(Message(input)));
                        return true;
                    case 2:
                        ReadTrainer(Message(input), model);
                        return true;
                    case 3:
                        ReadNormalizer(Message(input), model);
                        return true;
                    case 5:
                        ReadDenormalizer(Message(input), model);
                        return true;
                    default:
                        return false;
                }
            });
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or ArgumentException or OverflowException)
        {
            throw new TokenizerException($"{source} is not a sentencepiece model or is damaged: {e.Message}", e);
        }
        Check(model);
        return model;
    }

    private static CodedInputStream Message(CodedInputStream input) => input.ReadBytes().CreateCodedInput();

    /// <summary>Calls back for every field; what is not taken is skipped.</summary>
    private static void ForEachField(CodedInputStream input, Func<int, CodedInputStream, bool> take)
    {
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
            if (!take(WireFormat.GetTagFieldNumber(tag), input))
                input.SkipLastField();
    }

    private static Piece ReadPiece(CodedInputStream message)
    {
        var piece = new Piece("", 0, PieceKind.Normal);
        ForEachField(message, (field, input) =>
        {
            switch (field)
            {
                case 1:
                    piece = piece with { Text = input.ReadString() };
                    return true;
                case 2:
                    piece = piece with { Score = input.ReadFloat() };
                    return true;
                case 3:
                    piece = piece with { Kind = (PieceKind)input.ReadEnum() };
                    return true;
                default:
                    return false;
            }
        });
        return piece;
    }

    private static void ReadTrainer(CodedInputStream message, SentencePieceModel model) => ForEachField(message, (field, input) =>
    {
        switch (field)
        {
            case 3:
                model.ModelType = input.ReadEnum();
                return true;
            case 24:
                model.WhitespaceAsSuffix = input.ReadBool();
                return true;
            case 35:
                model.ByteFallback = input.ReadBool();
                return true;
            case 40:
                model.UnknownId = input.ReadInt32();
                return true;
            case 41:
                model.BosId = input.ReadInt32();
                return true;
            case 42:
                model.EosId = input.ReadInt32();
                return true;
            case 43:
                model.PadId = input.ReadInt32();
                return true;
            case 44:
                model.UnknownSurface = input.ReadString();
                return true;
            default:
                return false;
        }
    });

    private static void ReadNormalizer(CodedInputStream message, SentencePieceModel model) => ForEachField(message, (field, input) =>
    {
        switch (field)
        {
            case 2:
                model.CharsMap = input.ReadBytes().ToByteArray();
                return true;
            case 3:
                model.AddDummyPrefix = input.ReadBool();
                return true;
            case 4:
                model.RemoveExtraWhitespaces = input.ReadBool();
                return true;
            case 5:
                model.EscapeWhitespaces = input.ReadBool();
                return true;
            default:
                return false;
        }
    });

    private static void ReadDenormalizer(CodedInputStream message, SentencePieceModel model) => ForEachField(message, (field, input) =>
    {
        if (field != 2)
            return false;
        model.DenormalizerCharsMap = input.ReadBytes().ToByteArray();
        return true;
    });

    private static void Check(SentencePieceModel model)
    {
        string source = model.Source;
        if (model.Pieces.Count == 0)
            throw new TokenizerException($"{source} has no pieces; it is not a sentencepiece model.");
        if (model.ModelType != 2)
        {
            string name = model.ModelType switch { 1 => "Unigram", 3 => "Word", 4 => "Char", _ => $"number {model.ModelType}" };
            throw new TokenizerException($"{source} is a sentencepiece model of type {name}; only BPE is supported.");
        }
        if (model.WhitespaceAsSuffix)
            throw new TokenizerException($"{source} sets treat_whitespace_as_suffix, which is not supported.");
        if (model.DenormalizerCharsMap.Length > 0)
            throw new TokenizerException($"{source} has a denormalizer, which is not supported.");

        var seen = new HashSet<string>(StringComparer.Ordinal);
        int unknowns = 0;
        int byteTokens = 0;
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            Piece piece = model.Pieces[id];
            if (piece.Text.Length is 0 or > LongestPiece)
                throw new TokenizerException($"{source}: piece {id} has {piece.Text.Length} characters, expected 1 to {LongestPiece}.");
            if (!seen.Add(piece.Text))
                throw new TokenizerException($"{source}: piece {id} ('{piece.Text}') was defined before.");
            if (float.IsNaN(piece.Score))
                throw new TokenizerException($"{source}: piece {id} ('{piece.Text}') has no number for a score.");
            if (!Enum.IsDefined(piece.Kind))
                throw new TokenizerException($"{source}: piece {id} ('{piece.Text}') has the unknown type {(int)piece.Kind}.");
            if (piece.Kind == PieceKind.Byte && !(model.ByteFallback && ByteTokens.TryParse(piece.Text, out _)))
                throw new TokenizerException($"{source}: piece {id} ('{piece.Text}') is a byte piece where none can be.");
            unknowns += piece.Kind == PieceKind.Unknown ? 1 : 0;
            byteTokens += piece.Kind == PieceKind.Byte ? 1 : 0;
        }
        if (unknowns != 1)
            throw new TokenizerException($"{source} has {unknowns} unknown pieces, expected one.");
        if (model.ByteFallback && byteTokens != 256)
            throw new TokenizerException($"{source} falls back to bytes but has {byteTokens} byte pieces, expected 256.");
    }
}
