using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Corpus;

/// <summary>How text becomes token rows.</summary>
public sealed class CorpusTokenizerOptions
{
    /// <summary>Default of <see cref="RowLength"/>: the sequence length of LLaMA-2 and LLM-Shearing.</summary>
    public const int DefaultRowLength = 4096;

    /// <summary>Default of <see cref="TextField"/>.</summary>
    public const string DefaultTextField = "text";

    /// <summary>Default of <see cref="ShardBytes"/>.</summary>
    public const long DefaultShardBytes = 256L << 20;

    /// <summary>Ids a row, at least 1.</summary>
    /// <value>Default: 4096.</value>
    public int RowLength { get; set; } = DefaultRowLength;

    /// <summary>Puts the tokenizer's BOS in front of every document.</summary>
    /// <value>Default: true, as LLM-Shearing.</value>
    public bool AddBos { get; set; } = true;

    /// <summary>Puts the tokenizer's EOS behind every document.</summary>
    /// <value>Default: true, as LLM-Shearing.</value>
    public bool AddEos { get; set; } = true;

    /// <summary>What happens to ids that do not fill a row at the end of a file.</summary>
    /// <value>Default: <see cref="RowRemainder.Carry"/>.</value>
    public RowRemainder Remainder { get; set; } = RowRemainder.Carry;

    /// <summary>Gives an empty document its BOS and EOS, as LLM-Shearing does, instead of leaving it out.</summary>
    /// <value>Default: false.</value>
    public bool KeepEmptyDocuments { get; set; }

    /// <summary>What happens to text that is not valid.</summary>
    /// <value>Default: <see cref="InvalidTextPolicy.Refuse"/>.</value>
    public InvalidTextPolicy InvalidText { get; set; } = InvalidTextPolicy.Refuse;

    /// <summary>Member of the JSON Lines records that holds the text.</summary>
    /// <value>Default: <c>text</c>.</value>
    public string TextField { get; set; } = DefaultTextField;

    /// <summary>Threads that encode; the rows do not depend on it. Reading and writing take little of two more.</summary>
    /// <value>Default: the machine's cores.</value>
    public int Workers { get; set; } = Environment.ProcessorCount;

    /// <summary>A shard file is closed when it has this many bytes.</summary>
    /// <value>Default: 256 MiB.</value>
    public long ShardBytes { get; set; } = DefaultShardBytes;

    /// <summary>Replaces rows in the output folder that were made with other settings or from other files, instead of refusing.</summary>
    /// <value>Default: false.</value>
    public bool Overwrite { get; set; }

    /// <summary>What is wrong with these options, in words; null when nothing is.</summary>
    internal string? Problem() =>
        RowLength < 1 ? $"RowLength is {RowLength}; it must be at least 1."
        : Workers < 1 ? $"Workers is {Workers}; it must be at least 1."
        : ShardBytes < 1 ? $"ShardBytes is {ShardBytes}; it must be at least 1."
        : string.IsNullOrEmpty(TextField) ? "TextField is empty; name the member that holds the text."
        : !Enum.IsDefined(Remainder) ? $"Remainder {Remainder} is unknown."
        : !Enum.IsDefined(InvalidText) ? $"InvalidText {InvalidText} is unknown."
        : null;
}
