namespace LlmShearing.Evaluation;

/// <summary>An evaluation gave something that is not a number.</summary>
/// <param name="message">What is wrong; names the window and the block.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class EvaluationException(string message, Exception? innerException = null) : ShearingException(message, innerException);
