namespace LlmShearing;

/// <summary>Scores cannot be computed or used: an axis is missing, a value is not finite, an option does not fit.</summary>
/// <param name="message">What is wrong; names the axis, layer or tensor.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class ScoringException(string message, Exception? innerException = null) : ShearingException(message, innerException);
