namespace LlmShearing.Data.Instructions;

/// <summary>A piece of a rendered record: text, or one control token.</summary>
/// <param name="Text">The text; for a control token how it is written, for example <c>&lt;|im_end|&gt;</c>.</param>
/// <param name="Learn">Whether the model is to learn it.</param>
/// <param name="IsToken">Whether it is a control token, which becomes one id whatever surrounds it.</param>
public readonly record struct PromptSegment(string Text, bool Learn = false, bool IsToken = false);

/// <summary>How the tokenizer writes the tokens that begin and end a text.</summary>
/// <param name="Begin">For example <c>&lt;s&gt;</c>; empty when there is none.</param>
/// <param name="End">For example <c>&lt;/s&gt;</c>; empty when there is none.</param>
public sealed record TemplateTokens(string Begin, string End);
