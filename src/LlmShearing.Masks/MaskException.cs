namespace LlmShearing.Masks;

/// <summary>Masks, their target or their options are not possible. The message names the dimension, what was found and expected, and what to do.</summary>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="inner">Cause, or null.</param>
public sealed class MaskException(string message, Exception? inner = null) : ShearingException(message, inner);
