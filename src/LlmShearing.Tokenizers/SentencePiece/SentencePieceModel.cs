namespace LlmShearing.Tokenizers.SentencePiece;

/// <summary>What a piece of a sentencepiece model is for; the numbers of the file.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One entry of the vocabulary; its id is its position.</summary>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind)
{
    /// <summary>May be the result of a merge.</summary>
    public bool IsMergeable => Kind is PieceKind.Normal or PieceKind.UserDefined or PieceKind.Unused;
}

/// <summary>A sentencepiece BPE model as its file states it; defaults are those of the format.</summary>
internal sealed record SentencePieceModel
{
    /// <summary>File name, for messages.</summary>
    public required string Source { get; init; }

    public List<Piece> Pieces { get; } = [];

    public int ModelType { get; set; } = 1;

    public bool WhitespaceAsSuffix { get; set; }

    public bool ByteFallback { get; set; }

    public int UnknownId { get; set; }

    public int BosId { get; set; } = 1;

    public int EosId { get; set; } = 2;

    public int PadId { get; set; } = -1;

    public string UnknownSurface { get; set; } = " \u2047 ";

    public byte[] CharsMap { get; set; } = [];

    public byte[] DenormalizerCharsMap { get; set; } = [];

    public bool AddDummyPrefix { get; set; } = true;

    public bool RemoveExtraWhitespaces { get; set; } = true;

    public bool EscapeWhitespaces { get; set; } = true;
}
