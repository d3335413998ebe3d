using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Data.Instructions;

/// <summary>How it is decided which tokens are learned.</summary>
public enum LabelRule
{
    /// <summary>Piece by piece: prompt and answer are tokenised apart, so the labels are right by construction, and the prompt has the ids that it has when text is generated.</summary>
    Segments,

    /// <summary>The text is tokenised whole, and as many labels are ignored as the prompt alone has tokens (Stanford Alpaca, LLM-Shearing, Alpaca-LoRA). One answer a record.
    /// Where prompt and answer merge into one token the border is off by one.</summary>
    PromptLength,

    /// <summary>FastChat's counting for Vicuna and LLaMA tokenizers; a conversation whose counts do not add up is not learned at all.</summary>
    FastChat,
}

/// <summary>What happens to a record with more tokens than fit.</summary>
public enum TruncationPolicy
{
    /// <summary>Its end is cut off.</summary>
    CutEnd,

    /// <summary>It is left out and counted.</summary>
    Skip,
}

/// <summary>Settings of <see cref="InstructionTokenizer"/>.</summary>
public sealed record InstructionTokenizerOptions
{
    /// <summary>Most tokens of a sample, at least 2. LLM-Shearing and Stanford Alpaca use 512, LLM-Pruner and Shortened-LLaMA 256.</summary>
    /// <value>Default: 512.</value>
    [Range(2, int.MaxValue)]
    public int MaxLength { get; init; } = 512;

    /// <summary>What happens to longer records.</summary>
    /// <value>Default: their end is cut off.</value>
    public TruncationPolicy Truncation { get; init; } = TruncationPolicy.CutEnd;

    /// <summary>Whether prompts are learned too (train_on_inputs).</summary>
    /// <value>Default: false.</value>
    public bool LearnPrompts { get; init; }

    /// <summary>How it is decided which tokens are learned.</summary>
    /// <value>Default: piece by piece.</value>
    public LabelRule Labels { get; init; } = LabelRule.Segments;

    /// <summary>Only for <see cref="LabelRule.PromptLength"/>: the prompt alone is counted with an end token, and one is subtracted (add_eos_token of LLM-Pruner). Differs only where
    /// the prompt fills the whole sample.</summary>
    /// <value>Default: false.</value>
    public bool CountPromptWithEnd { get; init; }

    /// <summary>Control tokens that the vocabulary lacks are written as ordinary text, which the model then learns as such. Otherwise they are refused.</summary>
    /// <value>Default: false.</value>
    public bool SpellMissingTokens { get; init; }
}
